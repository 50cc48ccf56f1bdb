import { SIGRTMAX, signalName } from '../../native/ts/constants/signal.ts'
import type { CloseStdinRequest, ResizePtyRequest, SignalProcessRequest } from '../../protocol/gen/agent.ts'
import { invalid, notFound } from '../refusal.ts'
import type { Sandbox } from '../sandbox/sandbox.ts'

/** struct winsize holds 16 bits each (ioctl_tty(2)). */
const maxCells = 65_535

/** SignalProcess: to one process, or to all of its container. NotFound when nobody is there to get it. */
export function signalProcess(sandbox: Sandbox, { containerId, execId, signal, all }: SignalProcessRequest): object {
  if (signal < 1 || signal > SIGRTMAX) throw invalid(`signal ${signal} does not exist`)
  const known = sandbox.container(containerId)
  if (all) {
    if (!known.container.kill(signal, true)) throw notFound(`${signalName(signal)} to container ${containerId}: it has no process`)
    return {}
  }
  const process = known.process(execId)
  // A container that is being created or deleted is refused here with its state.
  void known.container
  if (!process.isAlive || !process.process.kill(signal)) throw notFound(`${signalName(signal)} to ${process.what}: process already finished`)
  return {}
}

/** ResizePty: nothing happens to a process without a terminal. */
export function resizePty(sandbox: Sandbox, { containerId, execId, width, height }: ResizePtyRequest): object {
  if (width > maxCells || height > maxCells) throw invalid(`a terminal cannot have ${width} by ${height} cells`)
  sandbox.container(containerId).process(execId).process.resize({ width, height })
  return {}
}

/** CloseStdin: the process sees end of file after `bytes` bytes. */
export function closeStdin(sandbox: Sandbox, { containerId, execId, bytes }: CloseStdinRequest): object {
  if (bytes > BigInt(Number.MAX_SAFE_INTEGER)) throw invalid(`no stream has ${bytes} bytes`)
  sandbox.container(containerId).process(execId).stdio.closeStdin(bytes)
  return {}
}
