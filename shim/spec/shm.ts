import type { LinuxNamespace } from '../../protocol/oci/linux.ts'
import type { Spec } from '../../protocol/oci/spec.ts'

/**
 * The guest's spec with the pod's /dev/shm. Under containerd's Sandbox API no mount of the host stands for it: the container has none,
 * or one of its own, although it joins the pod's IPC namespace (`namespaces`: as containerd gave them). `podShm` gives its path in the guest.
 */
export function withPodShm(spec: Spec, namespaces: readonly LinuxNamespace[], podShm: () => string): Spec {
  const joins = namespaces.some(({ type, path }) => type === 'ipc' && path !== undefined && path !== '')
  const mounts = spec.mounts ?? []
  const own = mounts.find(mount => mount.destination === '/dev/shm')
  if (!joins || (own && own.type !== 'tmpfs')) return spec
  const shm = { destination: '/dev/shm', type: 'bind', source: podShm(), options: ['rbind', 'rprivate', 'rw', 'nosuid', 'nodev', 'noexec'] }
  // Where it was, or after /dev, which is mounted before what lies in it.
  return { ...spec, mounts: own ? mounts.map(mount => mount === own ? shm : mount) : [...mounts, shm] }
}
