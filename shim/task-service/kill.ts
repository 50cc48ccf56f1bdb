import { SIGKILL } from '../../native/ts/constants/signal.ts'
import type { KillRequest } from '../../protocol/gen/task.ts'
import { Refusal } from '../refusal.ts'
import { expectEnd } from '../sandbox/kill-deadline.ts'
import type { TaskContext } from './context.ts'
import { signalPause } from './pause-container.ts'

/** Largest signal number of Linux (signal(7), SIGRTMAX). */
const maxSignal = 64

/** Kill: a signal to one process, or to all of the container. A process that has ended is `not found`, as containerd expects. */
export async function kill({ sandbox }: TaskContext, request: KillRequest): Promise<Record<string, never>> {
  const container = sandbox.container(request.id)
  const process = container.process(request.execId)
  if (request.signal > maxSignal) throw new Refusal('invalid', `signal ${request.signal} does not exist`)
  if (process.state.is === 'added') throw new Refusal('precondition', `${process.what} is not started`)
  if (!process.isAlive) throw new Refusal('not-found', `${process.what}: process already finished`)
  if (container.isPause) {
    signalPause(container, request.signal)
    return {}
  }
  const agent = await sandbox.agent()
  if (request.signal === SIGKILL) expectEnd(sandbox, container, process)
  await agent.signalProcess({ containerId: container.id, execId: request.execId, signal: request.signal, all: request.all })
  return {}
}
