import { Connection } from '../native/ts/connection.ts'
import type { Fd } from '../native/ts/fd.ts'
import { AgentDefinition } from '../protocol/gen/agent.ts'
import { Server } from '../protocol/ttrpc/server.ts'
import { agentService } from './agent-service.ts'
import { toRpcError } from './refusal.ts'
import { type AgentParts, Sandbox } from './sandbox/sandbox.ts'

/** Serves the agent's service on `control` (ownership taken); resolves when the connection has ended. */
export function serve(control: Fd, parts: AgentParts): Promise<Error | undefined> {
  const server = new Server({ toRpcError })
  server.register(AgentDefinition, agentService(new Sandbox(parts)))
  return server.serve(new Connection(control)).closed
}
