import type { AgentDefinition } from '../protocol/gen/agent.ts'
import type { Handlers } from '../protocol/ttrpc/service.ts'
import { createSandbox, destroySandbox, setClock, updateNetwork } from './rpc/sandbox.ts'
import type { Sandbox } from './sandbox/sandbox.ts'

/**
 * The agent's service (protocol/proto/agent.proto): each RPC and where it is done. What only containers need is loaded
 * with the container library, when the host has been dialled: loading costs a guest under TCG 40 times its usual time.
 */
export function agentService(sandbox: Sandbox): Handlers<typeof AgentDefinition> {
  const load = () => sandbox.containerService()
  return {
    createSandbox: request => createSandbox(sandbox, request),
    destroySandbox: () => destroySandbox(sandbox),
    createContainer: async (request, context) => (await load()).createContainer(request, context),
    startContainer: async (request, context) => (await load()).startContainer(request, context),
    deleteContainer: async (request, context) => (await load()).deleteContainer(request, context),
    pauseContainer: async (request, context) => (await load()).pauseContainer(request, context),
    resumeContainer: async (request, context) => (await load()).resumeContainer(request, context),
    updateContainer: async (request, context) => (await load()).updateContainer(request, context),
    statsContainer: async (request, context) => (await load()).statsContainer(request, context),
    statsSandbox: async (request, context) => (await load()).statsSandbox(request, context),
    resizeSandbox: async (request, context) => (await load()).resizeSandbox(request, context),
    listProcesses: async (request, context) => (await load()).listProcesses(request, context),
    execProcess: async (request, context) => (await load()).execProcess(request, context),
    signalProcess: async (request, context) => (await load()).signalProcess(request, context),
    resizePty: async (request, context) => (await load()).resizePty(request, context),
    closeStdin: async (request, context) => (await load()).closeStdin(request, context),
    updateNetwork: request => updateNetwork(sandbox, request),
    connectPort: async request => (await import('./rpc/port.ts')).connectPort(sandbox, request),
    closePortInput: async request => (await import('./rpc/port.ts')).closePortInput(sandbox, request),
    releaseDisk: async (request, context) => (await load()).releaseDisk(request, context),
    setVolume: async (request, context) => (await load()).setVolume(request, context),
    removeVolume: async (request, context) => (await load()).removeVolume(request, context),
    events: () => sandbox.parts.events.subscribe(),
    setClock: request => setClock(sandbox, request),
  }
}
