import { Fault } from '../../native/ts/fault.ts'
import type { Process } from '../../protocol/oci/process.ts'
import type { Mount, Spec } from '../../protocol/oci/spec.ts'

/** Says `true` or `false` where the command does not tell whether systemd is the container's init. It chooses nothing on the host. */
export const systemdAnnotation = 'io.kata-ts.systemd'

/** Commands that are systemd on the distributions that have it; podman takes them for it, too. */
const systemdPrograms = new Set([
  '/sbin/init', '/usr/sbin/init', '/usr/local/sbin/init', '/bin/systemd', '/usr/bin/systemd', '/lib/systemd/systemd', '/usr/lib/systemd/systemd', 'systemd',
])

/** What systemd.io/CONTAINER_INTERFACE asks to be a file system of the container's own. */
const writable: readonly Mount[] = [
  { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options: ['nosuid', 'noexec', 'nodev', 'relatime', 'rw'] },
  { destination: '/run', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'nodev', 'strictatime', 'mode=755', 'size=65536k', 'tmpcopyup'] },
  { destination: '/run/lock', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'nodev', 'noexec', 'mode=1777', 'size=5120k'] },
]

/** Whether systemd is the container's first process. Throws Fault for an annotation that says neither. */
export function runsSystemd(spec: Spec): boolean {
  const said = spec.annotations?.[systemdAnnotation]
  if (said !== undefined && said !== 'true' && said !== 'false') {
    throw new Fault(`annotation ${systemdAnnotation}: ${JSON.stringify(said)} is neither "true" nor "false"`)
  }
  return said === undefined ? systemdPrograms.has(spec.process?.args?.[0] ?? '') : said === 'true'
}

/**
 * The spec of a container whose first process is systemd, with what systemd wants of its container manager
 * (systemd.io/CONTAINER_INTERFACE), as podman gives it; any other spec as it is.
 *
 * - `container` in the environment, so that it does not take itself for the init of a machine;
 * - /run and /run/lock are tmpfs, where the client has nothing mounted there;
 * - the container's cgroup is there and writable: it is the container's own part of a guest's hierarchy, rooted there by its
 *   cgroup namespace, and the kernel (nsdelegate) keeps its own limits out of its reach.
 */
export function withSystemd(spec: Spec): Spec {
  if (!spec.process || !runsSystemd(spec)) return spec
  return { ...spec, process: withContainerVariable(spec.process), mounts: withWritable(spec.mounts ?? []) }
}

function withContainerVariable(process: Process): Process {
  const env = process.env ?? []
  return env.some(entry => entry.startsWith('container=')) ? process : { ...process, env: [...env, 'container=kata-ts'] }
}

function withWritable(mounts: readonly Mount[]): Mount[] {
  const taken = new Set(mounts.map(mount => mount.destination))
  const added = writable.filter(mount => !taken.has(mount.destination))
  // Before whatever lies below /run (a pod's secrets), which they would hide.
  const below = mounts.findIndex(mount => mount.destination.startsWith('/run/'))
  const at = below < 0 ? mounts.length : below
  const before = mounts.slice(0, at).map(withWritableCgroup)
  return [...before, ...added, ...mounts.slice(at).map(withWritableCgroup)]
}

function withWritableCgroup(mount: Mount): Mount {
  if (mount.type !== 'cgroup' && mount.type !== 'cgroup2') return mount
  return { ...mount, options: (mount.options ?? []).map(option => (option === 'ro' ? 'rw' : option)) }
}
