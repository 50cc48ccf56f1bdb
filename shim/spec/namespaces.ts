import { Fault } from '../../native/ts/fault.ts'
import type { LinuxNamespace } from '../../protocol/oci/linux.ts'

/** A container without an entry of these types would share the host's namespace: no VM can give that. */
const hostRefused = [
  { type: 'network', name: 'host network', podField: 'hostNetwork' },
  { type: 'pid', name: 'host PID namespace', podField: 'hostPID' },
  { type: 'ipc', name: 'host IPC namespace', podField: 'hostIPC' },
] as const

/** Throws Fault for a spec that wants namespaces of the host, with what to change. */
export function refuseHostNamespaces(namespaces: readonly LinuxNamespace[]): void {
  const missing = hostRefused.find(({ type }) => !namespaces.some(namespace => namespace.type === type))
  if (!missing) return
  const { type, name, podField } = missing
  throw new Fault(`the container asks for the ${name}, which a microVM cannot give`, {
    fix: `run it with a ${type} namespace of its own (a pod: without ${podField}: true), or with another runtime (a pod: another runtimeClassName)`,
  })
}

/**
 * Namespaces for the guest.
 *
 * - network: the guest's own is the sandbox's; every container of the sandbox is in it, so no entry.
 *   A path (a CNI namespace) names the host's side of it.
 * - ipc, uts with a path: those of the pod, which are the guest's own.
 * - user: with a path the pod's, which the guest has as well (hostUsers: false): like pid's, the agent is told beside the spec.
 * - pid: whatever its path, an entry; which namespace it means goes to the agent beside the spec (pid-namespace.ts).
 * - cgroup: always new, as cgroup v2 containers expect it; the guest has nothing else.
 *
 * Throws Fault for namespaces of the host.
 */
export function rewriteNamespaces(namespaces: readonly LinuxNamespace[]): LinuxNamespace[] {
  refuseHostNamespaces(namespaces)
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
    case 'user':
      return [{ type: namespace.type }]
    default:
      if (shared) throw new Fault(`joining the ${namespace.type} namespace ${namespace.path} of the host is not possible from a microVM`)
      return [{ type: namespace.type }]
  }
}

/**
 * Where there is no VM: `rewritten` (a rewritten spec's namespaces) with those of the pod that a guest would be, which are the host's
 * then. Without them the container would be in the host's own network.
 */
export function withHostNamespaces(rewritten: readonly LinuxNamespace[], given: readonly LinuxNamespace[]): LinuxNamespace[] {
  const shared = given.filter(({ type }) => type === 'network' || type === 'ipc' || type === 'uts')
  return [...rewritten.filter(({ type }) => !shared.some(other => other.type === type)), ...shared]
}
