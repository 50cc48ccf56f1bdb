import type { PidsRequest, PidsResponse } from '../../protocol/gen/task.ts'
import type { TaskContext } from './context.ts'

/**
 * Pids: pids mean the host's to containerd, and on the host there is the VMM. It is listed once, always:
 * containerd takes a shim without pids for a leaked one when it restarts, and ends it.
 */
export async function pids({ sandbox }: TaskContext, request: PidsRequest): Promise<PidsResponse> {
  sandbox.container(request.id)
  return { processes: [{ pid: sandbox.pid, info: undefined }] }
}
