import type { ResizePtyRequest } from '../../protocol/gen/task.ts'
import type { TaskContext } from './context.ts'

/** ResizePty: sets a terminal's size. One that is told before the process exists is kept for its start. */
export async function resizePty({ sandbox }: TaskContext, request: ResizePtyRequest): Promise<Record<string, never>> {
  const { id, execId, width, height } = request
  const process = sandbox.container(id).process(execId)
  process.size = { width, height }
  // A client resizes whenever its window changes, also while the process ends: that is no error.
  if (!process.isAlive || !process.stdio.request.terminal) return {}
  const agent = await sandbox.agent()
  await agent.resizePty({ containerId: id, execId, width, height })
  return {}
}
