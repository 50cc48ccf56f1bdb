import type { StopSandboxRequest } from '../../protocol/gen/sandbox.ts'
import type { SandboxContext } from './context.ts'
import { requireThis } from './create.ts'

/** StopSandbox: the VM is gone when it answers; what the host holds of containers stays until each is deleted. */
export async function stop({ only }: SandboxContext, request: StopSandboxRequest): Promise<Record<string, never>> {
  requireThis(only.id, request.sandboxId)
  await only.sandbox.halt()
  return {}
}
