import { story } from '../../native/ts/fault.ts'
import { TaskDefinition } from '../../protocol/gen/task.ts'
import { TaskDefinition as TaskV2Definition } from '../../protocol/gen/task-v2.ts'
import { SpecError } from '../../protocol/oci/parse.ts'
import { Server } from '../../protocol/ttrpc/server.ts'
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

/** A ttrpc server with the task service in both versions that containerd speaks: their messages are the same. */
export function taskServer(context: TaskContext): Server {
  const on = <Request, Response>(method: (context: TaskContext, request: Request) => Promise<Response>) =>
    async (request: Request): Promise<Response> => {
      try {
        return await method(context, request)
      } catch (error) {
        throw await context.sandbox.explain(error)
      }
    }
  const handlers: Handlers<typeof TaskDefinition> = {
    create: on(create),
    start: on(start),
    state: on(state),
    wait: on(wait),
    kill: on(kill),
    exec: on(exec),
    resizePty: on(resizePty),
    closeIO: on(closeIo),
    pause: on(pause),
    resume: on(resume),
    update: on(update),
    stats: on(stats),
    pids: on(pids),
    delete: on(remove),
    connect: on(connect),
    shutdown: on(shutdown),
    checkpoint: on(checkpoint),
  }
  const server = new Server({ toRpcError })
  server.register(TaskDefinition, handlers)
  server.register(TaskV2Definition, handlers)
  return server
}
