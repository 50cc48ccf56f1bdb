import * as sys from 'native:sys'
import type { ContainerRequest, ListProcessesResponse, UpdateContainerRequest } from '../../protocol/gen/agent.ts'
import { parseResources } from '../../protocol/oci/parse.ts'
import { wrongState } from '../refusal.ts'
import type { Sandbox } from '../sandbox/sandbox.ts'

/** PauseContainer: answered when every process is frozen. */
export async function pauseContainer(sandbox: Sandbox, { containerId }: ContainerRequest): Promise<object> {
  const { container } = sandbox.container(containerId)
  const status = container.status()
  if (status !== 'running') throw wrongState(`container ${containerId} cannot be paused: it is ${status}`)
  await container.pause()
  return {}
}

/** ResumeContainer. */
export async function resumeContainer(sandbox: Sandbox, { containerId }: ContainerRequest): Promise<object> {
  const { container } = sandbox.container(containerId)
  const status = container.status()
  if (status !== 'paused') throw wrongState(`container ${containerId} cannot be resumed: it is ${status}`)
  await container.resume()
  return {}
}

/** UpdateContainer: what is absent stays as it is. */
export async function updateContainer(sandbox: Sandbox, { containerId, resources }: UpdateContainerRequest): Promise<object> {
  await sandbox.container(containerId).container.update(parseResources(sys.utf8Decode(resources, 0, resources.length)))
  return {}
}

/** ListProcesses: pids in the guest's initial PID namespace. */
export function listProcesses(sandbox: Sandbox, { containerId }: ContainerRequest): ListProcessesResponse {
  return { pids: sandbox.container(containerId).container.pids() }
}
