import type { WaitRequest, WaitResponse } from '../../protocol/gen/task.ts'
import type { TaskContext } from './context.ts'
import { exitFields } from './exit-fields.ts'

/** Wait: answers when the process has ended and its output is out (or a second after its end). */
export async function wait({ sandbox }: TaskContext, request: WaitRequest): Promise<WaitResponse> {
  const exit = await sandbox.container(request.id).process(request.execId).wait()
  return exitFields(exit)
}
