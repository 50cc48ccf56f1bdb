import type { ShutdownSandboxRequest } from '../../protocol/gen/sandbox.ts'
import type { SandboxContext } from './context.ts'
import { requireThis } from './create.ts'

/** ShutdownSandbox: nothing of the sandbox is left on the host when it answers; then the shim ends. */
export async function shutdown({ only, exit }: SandboxContext, request: ShutdownSandboxRequest): Promise<Record<string, never>> {
  requireThis(only.id, request.sandboxId)
  await only.stop()
  exit()
  return {}
}
