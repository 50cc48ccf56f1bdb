import type { PidsRequest, PidsResponse } from '../../protocol/gen/task.ts'
import type { TaskContext } from './context.ts'

/**
 * Pids: pids mean the host's to containerd, and there is one on the host that stands for the container. It is listed
 * always: containerd takes a shim without pids for a leaked one when it restarts, and ends it.
 */
export async function pids({ sandbox }: TaskContext, request: PidsRequest): Promise<PidsResponse> {
  const { pid } = sandbox.container(request.id)
  return { processes: [{ pid, info: undefined }] }
}
