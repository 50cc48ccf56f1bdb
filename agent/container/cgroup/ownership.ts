import { MOUNT_ATTR_RDONLY } from '../../../native/ts/constants/mount.ts'
import type { Spec } from '../../../protocol/oci/spec.ts'
import type { MountPlan } from '../rootfs/mount-options.ts'

/**
 * Whom the container's cgroup is given to (config-linux.md#cgroup-ownership): the user of its process, as the host numbers
 * it, so that a process manager inside can make cgroups below it. Only with a cgroup namespace of its own in which
 * cgroups are mounted to be written to; undefined otherwise, and where it is root's already.
 */
export function cgroupOwner({ process, linux = {} }: Spec, mounts: readonly MountPlan[]): number | undefined {
  const isOwn = linux.namespaces?.some(({ type, path }) => type === 'cgroup' && !path)
  const isWritable = mounts.some(({ destination, type, attributes }) => destination.replace(/\/+$/, '') === '/sys/fs/cgroup' && type.startsWith('cgroup') && !(attributes.set & MOUNT_ATTR_RDONLY))
  if (!isOwn || !isWritable) return undefined
  const uid = process?.user.uid ?? 0
  if (!linux.uidMappings?.length) return uid || undefined
  const range = linux.uidMappings.find(({ containerID, size }) => uid >= containerID && uid < containerID + size)
  return range && (range.hostID + uid - range.containerID || undefined)
}
