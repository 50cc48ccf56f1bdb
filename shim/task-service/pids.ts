import type { PidsRequest, PidsResponse } from '../../protocol/gen/task.ts'
import type { TaskContext } from './context.ts'

/**
 * Pids: pids mean the host's to containerd, and there is one on the host that stands for the container. It is listed
 * always: containerd takes a shim without pids for a leaked one when it restarts, and ends it.
 */
export async function pids({ sandbox }: TaskContext, request: PidsRequest): Promise<PidsResponse> {
  // A sandbox of the Sandbox API is asked too, by a containerd that has restarted; it is no task.
  const { pid } = request.id === sandbox.identity.id && sandbox.identity.pod.lifetime === 'sandbox-api' ? sandbox : sandbox.container(request.id)
  return { processes: [{ pid, info: undefined }] }
}
