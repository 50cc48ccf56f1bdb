import { Connection } from '../native/ts/connection.ts'
import type { Fd } from '../native/ts/fd.ts'
import { AgentDefinition } from '../protocol/gen/agent.ts'
import { Server } from '../protocol/ttrpc/server.ts'
import { agentService } from './agent-service.ts'
import { toRpcError } from './refusal.ts'
import type { Sandbox } from './sandbox/sandbox.ts'

/** Serves `sandbox` on `control` (ownership taken); resolves when the connection has ended. */
export function serve(control: Fd, sandbox: Sandbox): Promise<Error | undefined> {
  const server = new Server({ toRpcError })
  server.register(AgentDefinition, agentService(sandbox))
  return server.serve(new Connection(control)).closed
}
