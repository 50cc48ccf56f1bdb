import type { SandboxStatusRequest, SandboxStatusResponse } from '../../protocol/gen/sandbox.ts'
import { timestamp } from '../../protocol/timestamp.ts'
import type { Sandbox } from '../sandbox/sandbox.ts'
import type { SandboxContext } from './context.ts'
import { requireThis } from './create.ts'

/** SandboxStatus, in CRI's words for the state. */
export async function status({ only }: SandboxContext, request: SandboxStatusRequest): Promise<Partial<SandboxStatusResponse>> {
  requireThis(only.id, request.sandboxId)
  const { sandbox } = only
  return {
    sandboxId: only.id,
    pid: sandbox.pid,
    state: sandbox.state.is === 'ready' ? 'SANDBOX_READY' : 'SANDBOX_NOTREADY',
    createdAt: timestamp(sandbox.createdAtNs),
    ...(sandbox.exit ? { exitedAt: timestamp(sandbox.exit.atNs) } : {}),
    info: request.verbose ? { info: JSON.stringify(details(sandbox)) } : {},
  }
}

/** What `crictl inspectp` shows. */
function details(sandbox: Sandbox): Record<string, unknown> {
  const { state, pid, identity } = sandbox
  return {
    sandboxID: identity.id,
    pid,
    processStatus: state.is,
    hostname: identity.pod.hostname,
    ...('error' in state ? { error: state.error.message } : {}),
    containers: [...sandbox.containers.values()].map(container => ({ id: container.id, pid: container.pid, status: container.init.state.is })),
  }
}
