import * as sys from 'native:sys'
import { Fault } from '../../native/ts/fault.ts'
import type { ExecProcessRequest, ExecProcessResponse } from '../../protocol/gen/agent.ts'
import { parseProcess } from '../../protocol/oci/parse.ts'
import type { ContainerProcess } from '../container/process.ts'
import { requireIdentifier } from '../identifier.ts'
import { wrongState } from '../refusal.ts'
import type { SandboxProcess } from '../sandbox/process.ts'
import type { Sandbox } from '../sandbox/sandbox.ts'
import { openProcess } from './create-container.ts'

/** Exec processes of one container that may exist at a time. */
const maxExecs = 4096

/** ExecProcess: one more process in a running container; the answer comes when its program runs. */
export async function execProcess(sandbox: Sandbox, request: ExecProcessRequest): Promise<Partial<ExecProcessResponse>> {
  const { containerId, execId } = request
  requireIdentifier('exec', execId)
  const known = sandbox.container(containerId)
  const { container } = known
  const status = container.status()
  if (status !== 'running' && status !== 'created') throw wrongState(`container ${containerId} cannot run exec ${execId}: it is ${status}`)
  if (known.execs.size >= maxExecs) throw wrongState(`container ${containerId} has ${maxExecs} execs; let some end first`)
  const process = { ...parseProcess(sys.utf8Decode(request.process, 0, request.process.length)), terminal: request.stdio?.terminal ?? false }
  const exec = openProcess(sandbox, { containerId, execId }, request.stdio)
  try {
    known.addExec(execId, exec)
  } catch (error) {
    exec.close()
    throw error
  }
  using _held = exec.hold()
  try {
    const { pid } = await sandbox.parts.reaper.birth(() => run(sandbox, exec, () => container.exec(process, exec.stdio.takeIo())))
    return { pid }
  } catch (cause) {
    known.execs.delete(execId)
    exec.close()
    throw new Fault(`exec ${execId} in container ${containerId}`, { cause })
  }
}

/** Inside the birth: an exit that came before the answer is found by the claim. */
async function run(sandbox: Sandbox, exec: SandboxProcess, start: () => Promise<ContainerProcess>): Promise<ContainerProcess> {
  const process = await start()
  exec.run(process, sandbox.parts.reaper)
  return process
}
