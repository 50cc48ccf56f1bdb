import { monotonicMs } from '../../native/ts/clock.ts'
import { story } from '../../native/ts/fault.ts'
import { TaskDefinition } from '../../protocol/gen/task.ts'
import { TaskDefinition as TaskV2Definition } from '../../protocol/gen/task-v2.ts'
import { SpecError } from '../../protocol/oci/parse.ts'
import type { Server } from '../../protocol/ttrpc/server.ts'
import type { Handlers } from '../../protocol/ttrpc/service.ts'
import { Code, RpcError } from '../../protocol/ttrpc/status.ts'
import { AgentError } from '../agent-client.ts'
import { Refusal, type RefusalKind } from '../refusal.ts'
import { checkpoint } from './checkpoint.ts'
import { closeIo } from './close-io.ts'
import { connect } from './connect.ts'
import type { TaskContext } from './context.ts'
import { create } from './create.ts'
import { remove } from './delete.ts'
import { exec } from './exec.ts'
import { kill } from './kill.ts'
import { pause, resume } from './pause.ts'
import { pids } from './pids.ts'
import { resizePty } from './resize-pty.ts'
import { shutdown } from './shutdown.ts'
import { start } from './start.ts'
import { state } from './state.ts'
import { stats } from './stats.ts'
import { update } from './update.ts'
import { wait } from './wait.ts'

const codes: Readonly<Record<RefusalKind, Code>> = {
  'not-found': Code.NotFound,
  'already-exists': Code.AlreadyExists,
  precondition: Code.FailedPrecondition,
  invalid: Code.InvalidArgument,
  unimplemented: Code.Unimplemented,
  unavailable: Code.Unavailable,
}

/** The status that containerd is given: code by the error's class, message with the whole chain of causes on one line. */
export function toRpcError(error: unknown): RpcError {
  if (error instanceof RpcError) return error
  const code = error instanceof Refusal ? codes[error.kind] : error instanceof SpecError ? Code.InvalidArgument : codeWithin(error)
  return new RpcError(code, story(error), { cause: error })
}

/** The agent's own code where one is in the chain: what it did not find is not found. */
function codeWithin(error: unknown): Code {
  let at: unknown = error
  for (let depth = 0; at instanceof Error && depth < 8; depth++) {
    if (at instanceof AgentError) return at.code
    at = at.cause
  }
  return Code.Unknown
}

/** The task service in both versions that containerd speaks: their messages are the same. */
export function registerTaskService(server: Server, context: TaskContext): void {
  const on = <Request, Response>(name: string, method: (context: TaskContext, request: Request) => Promise<Response>) =>
    async (request: Request): Promise<Response> => {
      const { sandbox } = context
      const { log } = sandbox.ports
      const sinceMs = monotonicMs()
      try {
        return await method(context, request)
      } catch (error) {
        throw await sandbox.explain(error)
      } finally {
        if (log.enabled('debug')) log.debug('task request', { method: name, ms: Math.round((monotonicMs() - sinceMs) * 100) / 100 })
      }
    }
  const handlers: Handlers<typeof TaskDefinition> = {
    create: on('create', create),
    start: on('start', start),
    state: on('state', state),
    wait: on('wait', wait),
    kill: on('kill', kill),
    exec: on('exec', exec),
    resizePty: on('resizePty', resizePty),
    closeIO: on('closeIO', closeIo),
    pause: on('pause', pause),
    resume: on('resume', resume),
    update: on('update', update),
    stats: on('stats', stats),
    pids: on('pids', pids),
    delete: on('delete', remove),
    connect: request => connect(context, request),
    shutdown: request => shutdown(context, request),
    checkpoint: on('checkpoint', checkpoint),
  }
  server.register(TaskDefinition, handlers)
  server.register(TaskV2Definition, handlers)
}
