import { Fault } from '../../native/ts/fault.ts'
import type { LinuxNamespace } from '../../protocol/oci/linux.ts'

/** A container without an entry of these types would share the host's namespace: no VM can give that. */
const hostRefused: Readonly<Record<string, string>> = {
  network: 'host network',
  pid: 'host PID namespace',
  ipc: 'host IPC namespace',
}

/**
 * Namespaces for the guest.
 *
 * - network: the guest's own is the sandbox's; every container of the sandbox is in it, so no entry.
 *   A path (a CNI namespace) names the host's side of it.
 * - ipc, uts, pid with a path: namespaces of the pod's first container. ipc and uts are the guest's
 *   own then; a shared pid namespace is refused, because it would quietly be an unshared one.
 * - cgroup: always new, as cgroup v2 containers expect it; the guest has nothing else.
 *
 * Throws Fault for namespaces of the host.
 */
export function rewriteNamespaces(namespaces: readonly LinuxNamespace[]): LinuxNamespace[] {
  for (const [type, name] of Object.entries(hostRefused)) {
    if (namespaces.some(namespace => namespace.type === type)) continue
    throw new Fault(`the container asks for the ${name}, which a microVM cannot give`, {
      fix: `run it with a ${type} namespace of its own, or with another runtime`,
    })
  }
  const kept = namespaces.flatMap(namespace => guestNamespace(namespace))
  for (const type of ['mount', 'cgroup'] as const) {
    if (!kept.some(namespace => namespace.type === type)) kept.push({ type })
  }
  return kept
}

function guestNamespace(namespace: LinuxNamespace): LinuxNamespace[] {
  const shared = namespace.path !== undefined && namespace.path !== ''
  switch (namespace.type) {
    case 'network':
      return []
    case 'ipc':
    case 'uts':
      return shared ? [] : [{ type: namespace.type }]
    case 'pid':
      if (shared) throw new Fault(`joining the PID namespace ${namespace.path} is not supported`, { fix: 'set shareProcessNamespace to false' })
      return [{ type: 'pid' }]
    default:
      if (shared) throw new Fault(`joining the ${namespace.type} namespace ${namespace.path} of the host is not possible from a microVM`)
      return [{ type: namespace.type }]
  }
}
