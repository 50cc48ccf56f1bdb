import type { PauseRequest, ResumeRequest } from '../../protocol/gen/task.ts'
import type { Container } from '../sandbox/container.ts'
import { Refusal } from '../refusal.ts'
import type { TaskContext } from './context.ts'
import { noProcesses } from './pause-container.ts'

/** Pause: freezes the container's cgroup in the guest; other containers of the sandbox go on. */
export async function pause({ sandbox, events }: TaskContext, request: PauseRequest): Promise<Record<string, never>> {
  const container = running(sandbox.container(request.id))
  if (container.paused) throw new Refusal('precondition', `container ${container.id} is paused already`)
  const agent = await sandbox.agent()
  await agent.pauseContainer({ containerId: container.id })
  container.paused = true
  events.publish('paused', { containerId: container.id })
  return {}
}

/** Resume: thaws it. */
export async function resume({ sandbox, events }: TaskContext, request: ResumeRequest): Promise<Record<string, never>> {
  const container = running(sandbox.container(request.id))
  if (!container.paused) throw new Refusal('precondition', `container ${container.id} is not paused`)
  const agent = await sandbox.agent()
  await agent.resumeContainer({ containerId: container.id })
  container.paused = false
  events.publish('resumed', { containerId: container.id })
  return {}
}

function running(container: Container): Container {
  if (container.isPause) throw noProcesses(container, 'pausing')
  const { is } = container.init.state
  if (is !== 'running') throw new Refusal('precondition', `container ${container.id} is ${is}, not running`)
  return container
}
