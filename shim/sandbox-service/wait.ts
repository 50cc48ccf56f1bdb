import type { WaitSandboxRequest, WaitSandboxResponse } from '../../protocol/gen/sandbox.ts'
import { exitFields } from '../task-service/exit-fields.ts'
import type { SandboxContext } from './context.ts'
import { requireThis } from './create.ts'

/** WaitSandbox: answers when the VM has ended, however that came. */
export async function wait({ only }: SandboxContext, request: WaitSandboxRequest): Promise<WaitSandboxResponse> {
  requireThis(only.id, request.sandboxId)
  return exitFields(await only.sandbox.ended)
}
