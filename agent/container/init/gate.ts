import * as sys from 'native:sys'
import { AF_UNIX, SOCK_SEQPACKET } from '../../../native/ts/constants/socket.ts'
import { F_SETFL, O_NONBLOCK } from '../../../native/ts/constants/fcntl.ts'
import { check, E } from '../../../native/ts/errno.ts'
import { Fd } from '../../../native/ts/fd.ts'
import { removeFile } from '../../../native/ts/file.ts'
import { InitLink, type ParentLink } from './dialogue.ts'

/**
 * Where a created container waits for its start. A caller that lives on (the agent) says it over the
 * socket pair. One that ends after create (the OCI command line) leaves a listening socket: the next
 * process that connects says `start` and learns of what fails up to execve; execve closes both.
 */
export function awaitStart(link: ParentLink, listener: number | undefined): void {
  if (listener !== undefined) link.moveTo(check('accept', 'start socket', sys.accept4(listener, 0)))
  link.expect('start')
}

/** The socket a container waits on; the caller owns it, and the file. */
export function listenForStart(path: string): Fd {
  using socket = new Fd(check('socket', path, sys.socket(AF_UNIX, SOCK_SEQPACKET, 0)), path)
  check('bind', path, sys.bindUnix(socket.number, path))
  check('listen', path, sys.listen(socket.number, 1))
  return new Fd(socket.release(), path)
}

/** The dialogue with a container that waits on `path`; undefined when it does not wait (any more). Removes the file. */
export function connectToStart(path: string): InitLink | undefined {
  using socket = new Fd(check('socket', path, sys.socket(AF_UNIX, SOCK_SEQPACKET, 0)), path)
  const connected = sys.connectUnix(socket.number, path)
  if (connected === -E.ENOENT || connected === -E.ECONNREFUSED) return undefined
  check('connect', path, connected)
  check('fcntl', 'O_NONBLOCK', sys.fcntl(socket.number, F_SETFL, O_NONBLOCK))
  removeFile(path)
  return new InitLink(new Fd(socket.release(), path))
}
