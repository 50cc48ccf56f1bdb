import type { AgentDefinition } from '../protocol/gen/agent.ts'
import type { Handlers } from '../protocol/ttrpc/service.ts'
import { listProcesses, pauseContainer, resumeContainer, updateContainer } from './rpc/container.ts'
import { createContainer } from './rpc/create-container.ts'
import { deleteContainer } from './rpc/delete-container.ts'
import { execProcess } from './rpc/exec-process.ts'
import { closeStdin, resizePty, signalProcess } from './rpc/process.ts'
import { createSandbox, destroySandbox, setClock } from './rpc/sandbox.ts'
import { startContainer } from './rpc/start-container.ts'
import { statsContainer } from './rpc/stats.ts'
import type { Sandbox } from './sandbox/sandbox.ts'

/** The agent's service (protocol/proto/agent.proto): each RPC and where it is done. */
export function agentService(sandbox: Sandbox): Handlers<typeof AgentDefinition> {
  return {
    createSandbox: request => createSandbox(sandbox, request),
    destroySandbox: () => destroySandbox(sandbox),
    createContainer: request => createContainer(sandbox, request),
    startContainer: request => startContainer(sandbox, request),
    deleteContainer: request => deleteContainer(sandbox, request),
    pauseContainer: request => pauseContainer(sandbox, request),
    resumeContainer: request => resumeContainer(sandbox, request),
    updateContainer: request => updateContainer(sandbox, request),
    statsContainer: request => statsContainer(sandbox, request),
    listProcesses: request => listProcesses(sandbox, request),
    execProcess: request => execProcess(sandbox, request),
    signalProcess: request => signalProcess(sandbox, request),
    resizePty: request => resizePty(sandbox, request),
    closeStdin: request => closeStdin(sandbox, request),
    events: () => sandbox.parts.events.subscribe(),
    setClock: request => setClock(sandbox, request),
  }
}
