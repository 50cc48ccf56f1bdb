import { Fault } from '../../native/ts/fault.ts'
import type { LinuxNamespace } from '../../protocol/oci/linux.ts'

/**
 * The PID namespace that a container is to have in the guest.
 *
 * - `own`: a new one; the default, also of Kubernetes.
 * - `pod`: the one that all containers of a pod share (shareProcessNamespace).
 * - `container`: another container's (kubectl debug --target).
 */
export type PidNamespace = { of: 'own' } | { of: 'pod' } | { of: 'container'; id: string }

/** Whom a pid of the host stands for in this sandbox; undefined: nobody. */
export type PidOwner = { of: 'pod' } | { of: 'container'; id: string } | undefined

/** namespaces(7); a thread's directory names the same namespaces. */
const procPath = /^\/proc\/(\d+)\/(?:task\/\d+\/)?ns\/pid$/

/**
 * Reads the spec's PID namespace. CRI names a shared one by the pid of a task: of the pause container for the pod's,
 * of another container for that one's. Throws Fault for a namespace that is not of this sandbox.
 */
export function pidNamespaceOf(namespaces: readonly LinuxNamespace[], ownerOf: (pid: number) => PidOwner): PidNamespace {
  const path = namespaces.find(namespace => namespace.type === 'pid')?.path ?? ''
  if (path === '') return { of: 'own' }
  const owner = ownerOf(Number(procPath.exec(path)?.[1] ?? 0))
  if (owner) return owner
  throw new Fault(`the PID namespace ${path} is not one of a running container of this pod`, {
    fix: 'in a microVM a container can share the PID namespace of its pod or of another container of the pod, and no other',
  })
}
