import { story } from '../../native/ts/fault.ts'
import type { CloseIORequest } from '../../protocol/gen/task.ts'
import type { Process } from '../process/process.ts'
import type { Sandbox } from '../sandbox/sandbox.ts'
import type { TaskContext } from './context.ts'

/** CloseIO: the client will write no more. The process sees the end of its input once what is in the FIFO was delivered. */
export async function closeIo({ sandbox }: TaskContext, request: CloseIORequest): Promise<Record<string, never>> {
  const process = sandbox.container(request.id).process(request.execId)
  if (request.stdin) process.stdio.stdin?.closeInput()
  return {}
}

/** Once the input of `process` ended on the host, tells the agent after how many bytes. For a process that the agent knows. */
export function forwardStdinEnd(sandbox: Sandbox, process: Process): void {
  void process.stdio.stdin?.ended.then(async bytes => {
    if (bytes === undefined || !process.isAlive) return
    const { containerId, execId } = process.names
    await sandbox.liveAgent?.closeStdin({ containerId, execId, bytes })
  }).catch((error: unknown) => {
    // A process that ended meanwhile is the usual reason: nobody is left to whom it would matter.
    sandbox.ports.log.debug(`end of input of ${process.what}: ${story(error)}`)
  })
}
