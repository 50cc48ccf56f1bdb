import { story } from '../../native/ts/fault.ts'
import { TaskDefinition } from '../../protocol/gen/task.ts'
import { TaskDefinition as TaskV2Definition } from '../../protocol/gen/task-v2.ts'
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
  const code = error instanceof Refusal ? codes[error.kind] : codeWithin(error)
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
  const handlers: Handlers<typeof TaskDefinition> = {
    create: request => create(context, request),
    start: request => start(context, request),
    state: request => state(context, request),
    wait: request => wait(context, request),
    kill: request => kill(context, request),
    exec: request => exec(context, request),
    resizePty: request => resizePty(context, request),
    closeIO: request => closeIo(context, request),
    pause: request => pause(context, request),
    resume: request => resume(context, request),
    update: request => update(context, request),
    stats: request => stats(context, request),
    pids: request => pids(context, request),
    delete: request => remove(context, request),
    connect: request => connect(context, request),
    shutdown: request => shutdown(context, request),
    checkpoint: request => checkpoint(context, request),
  }
  const server = new Server({ toRpcError })
  server.register(TaskDefinition, handlers)
  server.register(TaskV2Definition, handlers)
  return server
}
