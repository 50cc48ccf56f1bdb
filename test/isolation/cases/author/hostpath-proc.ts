import { symlinkSync } from 'node:fs'
import { contained, escaped, type Attack } from '../../attack.ts'

/** A directory that the pod's author may use holds a link; the volume's source is the link, or a path through it. */
export const attack: Attack = {
  id: 'hostpath-proc',
  title: 'a hostPath volume through a symbolic link into the host\'s /proc',
  family: 'author',
  leak: 'the host\'s processes; its root directory by /proc/1/root',
  bound: 'container',
  control: { weak: 'runc, which follows it' },
  async run(site) {
    const canary = site.plant()
    symlinkSync('/proc', `${site.directory}/link`)
    // A name: files of /proc have no size, and a share gives no more of them than that.
    const task = `${process.pid}/task/${process.pid}`
    const seen: string[] = []
    for (const [source, look] of [
      [`${site.directory}/link`, `ls -d /volume/${task}; tr '\\0' ' ' </volume/${process.pid}/cmdline; cat /volume/${process.pid}/root${canary} /volume/self/root${canary}`],
      [`${site.directory}/link/${process.pid}/root${site.directory}`, 'cat /volume/canary'],
      [`${site.directory}/link/self/fd`, 'ls -l /volume'],
    ] as const) {
      const { stdout, stderr, refusal } = await site.attempt({
        args: ['sh', '-c', look], spec: (spec) => { spec.mounts.push({ destination: '/volume', type: 'bind', source, options: ['rbind', 'rw'] }) },
      })
      if (stdout.includes(task)) return escaped(`process ${process.pid} of the host is in the volume: it is the host's /proc`)
      if (source.endsWith('/link') && stdout.includes('node')) return escaped(`the command line of process ${process.pid} of the host was read by the volume`)
      if (stdout.includes(site.secret) && source.endsWith('link')) return escaped('a file of the host was read through the volume\'s /proc/PID/root')
      seen.push(refusal ?? (stdout || stderr))
    }
    return contained(`the host's /proc is not in the volume: ${seen.join(' / ')}`)
  },
}
