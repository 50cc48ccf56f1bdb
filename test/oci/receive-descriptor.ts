import * as sys from 'native:sys'
import { AF_UNIX, SOCK_STREAM } from '../../native/ts/constants/socket.ts'
import { check, checked } from '../../native/ts/errno.ts'

/** Listens at `path` and waits for one message with a descriptor, which is the caller's (-1: none came). Throws SysError. */
export function receiveDescriptor(path: string): { fd: number; message: string } {
  const listener = check('socket', path, sys.socket(AF_UNIX, SOCK_STREAM, 0))
  check('bind', path, sys.bindUnix(listener, path))
  check('listen', path, sys.listen(listener, 1))
  const connection = check('accept', path, sys.accept4(listener, 0))
  const buffer = new Uint8Array(4096)
  const { bytes, fds } = checked('recvmsg', path, sys.recvFds(connection, buffer, 1))
  return { fd: fds[0] ?? -1, message: sys.utf8Decode(buffer, 0, bytes) }
}
