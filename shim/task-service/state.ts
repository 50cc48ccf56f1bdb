import { Status } from '../../protocol/gen/process.ts'
import type { StateRequest, StateResponse } from '../../protocol/gen/task.ts'
import type { ProcessStateName } from '../process/state.ts'
import type { TaskContext } from './context.ts'
import { timestamp } from '../../protocol/timestamp.ts'

const statuses: Readonly<Record<ProcessStateName, Status>> = {
  added: Status.CREATED,
  created: Status.CREATED,
  starting: Status.CREATED,
  running: Status.RUNNING,
  stopped: Status.STOPPED,
  deleted: Status.STOPPED,
}

/** State of a container's init or of an exec. */
export async function state({ sandbox }: TaskContext, request: StateRequest): Promise<StateResponse> {
  const container = sandbox.container(request.id)
  const process = container.process(request.execId)
  const { is } = process.state
  const { stdin, stdout, stderr, terminal } = process.stdio.request
  return {
    id: request.id,
    bundle: container.bundle,
    pid: container.pid,
    status: is === 'running' && container.paused ? Status.PAUSED : statuses[is],
    stdin,
    stdout,
    stderr,
    terminal,
    exitStatus: process.exit?.status ?? 0,
    exitedAt: process.exit && timestamp(process.exit.atNs),
    execId: request.execId,
  }
}
