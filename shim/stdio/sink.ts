import { sleep } from '../../native/ts/clock.ts'
import { O_APPEND, O_CREAT, O_NONBLOCK, O_RDONLY, O_WRONLY } from '../../native/ts/constants/fcntl.ts'
import { S_IFIFO, S_IFMT } from '../../native/ts/constants/stat.ts'
import { E, isErrno } from '../../native/ts/errno.ts'
import { type Fd, open } from '../../native/ts/fd.ts'
import { makeDirectories, stat } from '../../native/ts/file.ts'
import type { StreamBroker } from '../streaming/broker.ts'
import type { OutputStream } from './output.ts'
import type { StreamUri } from './uri.ts'

/** How often a FIFO is tried that nobody reads yet. Clients open theirs before they call, so the first try is the usual one. */
const readerPollMs = 10

/** Gives `stream` its place on the host: a file at once, a FIFO as soon as somebody reads it. Throws SysError for what is not there. */
export function placeOutput(stream: OutputStream, uri: StreamUri, broker: StreamBroker): void {
  if (uri.scheme === 'file') {
    makeDirectories(uri.path.slice(0, uri.path.lastIndexOf('/')) || '/')
    stream.place(open(uri.path, O_WRONLY | O_CREAT | O_APPEND, 0o644))
  } else if (uri.scheme === 'stream') {
    const { writer, gone } = broker.output(uri.id, stream.ended)
    stream.place(writer, undefined, gone)
  } else if (uri.scheme === 'fifo') {
    if ((stat(uri.path).mode & S_IFMT) !== S_IFIFO) stream.place(open(uri.path, O_WRONLY | O_APPEND))
    else if (!placeFifo(stream, uri.path)) void pollFifo(stream, uri.path)
  }
}

/**
 * False when nobody reads the FIFO yet. Its first reader is waited for: what is written and closed before
 * would be gone, and that reader wait for ever. From then on the shim is a reader too, so that a reader's
 * death (a containerd restart) blocks the process at worst and never kills it with EPIPE.
 */
function placeFifo(stream: OutputStream, path: string): boolean {
  let sink: Fd
  try {
    sink = open(path, O_WRONLY | O_NONBLOCK)
  } catch (error) {
    if (isErrno(error, E.ENXIO)) return false
    throw error
  }
  try {
    stream.place(sink, open(path, O_RDONLY | O_NONBLOCK))
  } catch (error) {
    sink.close()
    throw error
  }
  return true
}

async function pollFifo(stream: OutputStream, path: string): Promise<void> {
  try {
    do await sleep(readerPollMs)
    while (!stream.isOver && !placeFifo(stream, path))
  } catch {
    // The FIFO was removed before anybody read it: there is no place for this output.
    stream.close()
  }
}
