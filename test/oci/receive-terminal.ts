/** Runs on the engine, as Node cannot receive descriptors: `receive-terminal SOCKET`: accepts one terminal, prints what it says, types what stdin says. */
import * as sys from 'native:sys'
import { AF_UNIX, SOCK_STREAM } from '../../native/ts/constants/socket.ts'
import { check, checked } from '../../native/ts/errno.ts'
import { setWindowSize } from '../../native/ts/pty.ts'

const path = sys.argv()[1] ?? ''
const listener = check('socket', path, sys.socket(AF_UNIX, SOCK_STREAM, 0))
check('bind', path, sys.bindUnix(listener, path))
check('listen', path, sys.listen(listener, 1))
const connection = check('accept', path, sys.accept4(listener, 0))
const buffer = new Uint8Array(4096)
const { fds } = checked('recvmsg', path, sys.recvFds(connection, buffer, 1))
const master = fds[0] ?? -1
setWindowSize(master, { width: 111, height: 22 })
const input = sys.read(0, buffer, 0, buffer.length)
if (input > 0) sys.write(master, buffer, 0, input)
for (;;) {
  const got = sys.read(master, buffer, 0, buffer.length)
  if (got <= 0) break // EIO: the last slave is closed
  sys.write(1, buffer, 0, got)
}
