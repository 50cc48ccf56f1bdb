/** What containerd's CRI writes into the specs of a pod's containers, for tests that make a pod by containerd's own API. */
import type { Spec } from './spec.ts'

/** The pause container, which stands for the sandbox. */
export function beSandbox(spec: Spec, id: string): void { annotate(spec, 'sandbox', id) }

/** A container that shares the network, IPC and UTS namespaces of the sandbox. `pid`: of the sandbox's own process. */
export function joinSandbox(spec: Spec, sandbox: { id: string; pid: number }): void {
  annotate(spec, 'container', sandbox.id)
  spec.linux.namespaces = spec.linux.namespaces.map(({ type }) =>
    (['network', 'ipc', 'uts'].includes(type) ? { type, path: `/proc/${sandbox.pid}/ns/${type === 'network' ? 'net' : type}` } : { type }))
}

function annotate(spec: Spec, type: 'sandbox' | 'container', sandboxId: string): void {
  spec.annotations = { ...spec.annotations, 'io.kubernetes.cri.container-type': type, 'io.kubernetes.cri.sandbox-id': sandboxId }
}
