import type { ShutdownRequest } from '../../protocol/gen/task.ts'
import type { TaskContext } from './context.ts'

/**
 * Shutdown: containerd calls it once for every task, so it ends the shim only when no container is
 * left. One that Create is still busy with does not count when it is the task that is shut down:
 * containerd has given it up, and nobody would call again. The VM and everything on the host are gone
 * before the answer is sent.
 */
export async function shutdown({ sandbox, exit }: TaskContext, request: ShutdownRequest): Promise<Record<string, never>> {
  const counts = [...sandbox.containers.values()].some(container => container.id !== request.id || container.init.state.is !== 'added')
  if (counts && !request.now) return {}
  await sandbox.stop()
  exit()
  return {}
}
