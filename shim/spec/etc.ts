import type { Spec } from '../../protocol/oci/spec.ts'

/** Where the agent puts the pod's files in the guest (agent/sandbox/etc.ts). */
const guestDir = '/run/kata-ts/etc'

/** Adds a mount in /etc for each of the pod's files that the spec, which is the guest's already, does not mount itself. */
export function withEtc(spec: Spec, names: readonly string[]): Spec {
  const mounts = spec.mounts ?? []
  const taken = new Set(mounts.map(mount => mount.destination))
  const added = names.filter(name => !taken.has(`/etc/${name}`)).map(name => ({
    destination: `/etc/${name}`, type: 'bind', source: `${guestDir}/${name}`,
    // As containerd mounts them: read-only where the root is.
    options: ['rbind', 'rprivate', spec.root?.readonly ? 'ro' : 'rw'],
  }))
  return added.length > 0 ? { ...spec, mounts: [...mounts, ...added] } : spec
}
