import type { Spec } from '../../protocol/oci/spec.ts'

/** Where the agent puts the pod's files and its /dev/shm in the guest (agent/sandbox/etc.ts). */
const guestDir = '/run/kata-ts/etc'
const guestShm = '/run/kata-ts/shm'

/**
 * Adds a mount in /etc for each of the pod's files that the spec, which is the guest's already, does not mount itself, and the
 * pod's /dev/shm in place of one of the container's own. Without files the pod has neither.
 */
export function withEtc(spec: Spec, names: readonly string[]): Spec {
  if (names.length === 0) return spec
  const mounts = (spec.mounts ?? []).map(mount => (mount.destination === '/dev/shm' && mount.type === 'tmpfs'
    ? { ...mount, type: 'bind', source: guestShm, options: ['rbind', 'nosuid', 'noexec', 'nodev'] }
    : mount))
  const taken = new Set(mounts.map(mount => mount.destination))
  const added = names.filter(name => !taken.has(`/etc/${name}`)).map(name => ({
    destination: `/etc/${name}`, type: 'bind', source: `${guestDir}/${name}`,
    // As containerd mounts them: read-only where the root is.
    options: ['rbind', 'rprivate', spec.root?.readonly ? 'ro' : 'rw'],
  }))
  return { ...spec, mounts: [...mounts, ...added] }
}
