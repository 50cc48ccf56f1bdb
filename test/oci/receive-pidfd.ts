/** Runs on the engine, as Node cannot receive descriptors: `receive-pidfd SOCKET`: accepts one descriptor and prints the message that came with it, and which process it is of. */
import * as sys from 'native:sys'
import { AF_UNIX, SOCK_STREAM } from '../../native/ts/constants/socket.ts'
import { check, checked } from '../../native/ts/errno.ts'
import { readText } from '../../native/ts/file.ts'

const path = sys.argv()[1] ?? ''
const listener = check('socket', path, sys.socket(AF_UNIX, SOCK_STREAM, 0))
check('bind', path, sys.bindUnix(listener, path))
check('listen', path, sys.listen(listener, 1))
const connection = check('accept', path, sys.accept4(listener, 0))
const buffer = new Uint8Array(4096)
const { bytes, fds } = checked('recvmsg', path, sys.recvFds(connection, buffer, 1))
const pid = /^Pid:\s*(\d+)$/m.exec(readText(`/proc/self/fdinfo/${fds[0]}`))?.[1] ?? 'none'
const line = sys.utf8Encode(`${sys.utf8Decode(buffer, 0, bytes)} ${pid}\n`)
sys.write(1, line, 0, line.length)
