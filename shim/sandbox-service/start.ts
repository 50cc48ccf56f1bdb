import type { StartSandboxRequest, StartSandboxResponse } from '../../protocol/gen/sandbox.ts'
import { timestamp } from '../../protocol/timestamp.ts'
import type { SandboxContext } from './context.ts'
import { requireThis } from './create.ts'

/** StartSandbox: answers when containers can be created, with the pid that stands for the pod's namespaces. */
export async function start({ only }: SandboxContext, request: StartSandboxRequest): Promise<Partial<StartSandboxResponse>> {
  requireThis(only.id, request.sandboxId)
  const { sandbox } = only
  await sandbox.agent()
  return { pid: sandbox.pid, createdAt: timestamp(sandbox.createdAtNs) }
}
