import type { ShutdownRequest } from '../../protocol/gen/task.ts'
import type { Sandbox } from '../sandbox/sandbox.ts'
import type { TaskContext } from './context.ts'

/**
 * Shutdown: containerd calls it once for every task, so it ends the shim only when no container is
 * left. One that Create is still busy with does not count when it is the task that is shut down:
 * containerd has given it up, and nobody would call again. The VM and everything on the host are gone
 * before the answer is sent.
 */
export async function shutdown({ made: sandbox, stop, exit }: TaskContext, request: ShutdownRequest): Promise<Record<string, never>> {
  if (sandbox && !endsWith(sandbox, request)) return {}
  await stop()
  exit()
  return {}
}

function endsWith(sandbox: Sandbox, request: ShutdownRequest): boolean {
  if (request.now) return true
  // A sandbox of the Sandbox API ends by ShutdownSandbox, or when containerd does not know it any more and takes it for a task.
  if (sandbox.identity.pod.lifetime === 'sandbox-api') return request.id === sandbox.identity.id
  return ![...sandbox.containers.values()].some(container => container.id !== request.id || container.init.state.is !== 'added')
}
