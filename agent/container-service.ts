import type { AgentDefinition } from '../protocol/gen/agent.ts'
import type { Handlers } from '../protocol/ttrpc/service.ts'
import { listProcesses, pauseContainer, resumeContainer, updateContainer } from './rpc/container.ts'
import { createContainer } from './rpc/create-container.ts'
import { deleteContainer } from './rpc/delete-container.ts'
import { execProcess } from './rpc/exec-process.ts'
import { closeStdin, resizePty, signalProcess } from './rpc/process.ts'
import { startContainer } from './rpc/start-container.ts'
import { resizeSandbox } from './rpc/resize.ts'
import { statsContainer, statsSandbox } from './rpc/stats.ts'
import { releaseDisk } from './sandbox/disk.ts'
import { removeVolume, setVolume } from './sandbox/volume.ts'
import type { Sandbox } from './sandbox/sandbox.ts'

export type ContainerService = Omit<Handlers<typeof AgentDefinition>, 'createSandbox' | 'destroySandbox' | 'updateNetwork' | 'connectPort' | 'closePortInput' | 'events' | 'setClock'>

/** The RPCs about containers and processes, and where each is done. */
export function containerService(sandbox: Sandbox): ContainerService {
  return {
    createContainer: request => createContainer(sandbox, request),
    startContainer: request => startContainer(sandbox, request),
    deleteContainer: request => deleteContainer(sandbox, request),
    pauseContainer: request => pauseContainer(sandbox, request),
    resumeContainer: request => resumeContainer(sandbox, request),
    updateContainer: request => updateContainer(sandbox, request),
    statsContainer: request => statsContainer(sandbox, request),
    statsSandbox: () => statsSandbox(sandbox),
    resizeSandbox: request => resizeSandbox(sandbox, request),
    listProcesses: request => listProcesses(sandbox, request),
    execProcess: request => execProcess(sandbox, request),
    signalProcess: request => signalProcess(sandbox, request),
    resizePty: request => resizePty(sandbox, request),
    closeStdin: request => closeStdin(sandbox, request),
    releaseDisk,
    setVolume,
    removeVolume,
  }
}
