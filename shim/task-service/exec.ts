import * as sys from 'native:sys'
import type { ExecProcessRequest } from '../../protocol/gen/task.ts'
import { parseProcess } from '../../protocol/oci/parse.ts'
import { isIdentifier } from '../flags.ts'
import { Process } from '../process/process.ts'
import { Refusal } from '../refusal.ts'
import { guestProcess } from '../spec/rewrite.ts'
import { Stdio } from '../stdio/stdio.ts'
import { exitFields } from './exit-fields.ts'
import type { TaskContext } from './context.ts'
import { noProcesses } from './pause-container.ts'

/** Exec: adds a process to a running container; Start lets it run. */
export async function exec(context: TaskContext, request: ExecProcessRequest): Promise<Record<string, never>> {
  const { sandbox, events } = context
  const container = sandbox.container(request.id)
  const { id: containerId, execId, stdin, stdout, stderr, terminal } = request
  if (!isIdentifier(execId)) throw new Refusal('invalid', `exec id ${JSON.stringify(execId)} is not an identifier`)
  if (container.isPause) throw noProcesses(container, 'exec')
  if (container.init.state.is !== 'running') throw new Refusal('precondition', `container ${containerId} is not running`)
  container.requireExecRoom(execId)
  const spec = execSpec(request)
  const stdio = await Stdio.open({ stdin, stdout, stderr, terminal }, {
    namespace: context.namespace, containerId, env: context.env, nextStreamId: sandbox.nextStreamId, broker: context.broker,
  })
  try {
    // Again: a logger takes time to start, and another request may have taken the id meanwhile.
    container.requireExecRoom(execId)
  } catch (error) {
    await stdio.close()
    throw error
  }
  const process = new Process({ containerId, execId }, stdio, sandbox.pulse, sandbox.limits.outputMs)
  process.onExit(exit => events.publish('exit', { containerId, id: execId, pid: container.pid, ...exitFields(exit) }))
  container.execs.set(execId, { process, spec })
  events.publish('exec-added', { containerId, execId })
  return {}
}

/** The OCI Process of the request (JSON in an Any, as containerd marshals Go types), for the guest. Throws SpecError. */
function execSpec(request: ExecProcessRequest): Uint8Array {
  const bytes = request.spec?.value ?? new Uint8Array(0)
  const process = parseProcess(sys.utf8Decode(bytes, 0, bytes.length))
  return sys.utf8Encode(JSON.stringify(guestProcess(process)))
}
