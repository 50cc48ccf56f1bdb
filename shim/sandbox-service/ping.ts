import type { PingRequest } from '../../protocol/gen/sandbox.ts'
import type { SandboxContext } from './context.ts'
import { requireThis } from './create.ts'

/** PingSandbox: fails when the sandbox does not serve, and never will. */
export async function ping({ only }: SandboxContext, request: PingRequest): Promise<Record<string, never>> {
  requireThis(only.id, request.sandboxId)
  if (!only.sandbox.isUsable) throw only.sandbox.unavailable()
  return {}
}
