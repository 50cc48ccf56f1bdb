import type { ShutdownRequest } from '../../protocol/gen/task.ts'
import type { TaskContext } from './context.ts'

/**
 * Shutdown: containerd calls it once for every task, so it ends the shim only when no container is
 * left. The VM and everything on the host are gone before the answer is sent.
 */
export async function shutdown({ sandbox, exit }: TaskContext, request: ShutdownRequest): Promise<Record<string, never>> {
  if (sandbox.containers.size > 0 && !request.now) return {}
  await sandbox.stop()
  exit()
  return {}
}
