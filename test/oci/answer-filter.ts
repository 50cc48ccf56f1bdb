/**
 * Runs on the engine, as Node cannot receive descriptors: `answer-filter SOCKET`: a seccomp agent. Takes the filter of each
 * process that is sent to it, prints the state that came with it, and says to every call that asks that it went well.
 */
import * as sys from 'native:sys'
import { EPOLLIN } from '../../native/ts/constants/epoll.ts'
import { AF_UNIX, SOCK_STREAM } from '../../native/ts/constants/socket.ts'
import { check, checked, E } from '../../native/ts/errno.ts'

/** include/uapi/linux/seccomp.h: struct seccomp_notif has 80 bytes, seccomp_notif_resp 24. */
const SECCOMP_IOCTL_NOTIF_RECV = 0xc0502100
const SECCOMP_IOCTL_NOTIF_SEND = 0xc0182101

const path = sys.argv()[1] ?? ''
const listener = check('socket', path, sys.socket(AF_UNIX, SOCK_STREAM, 0))
check('bind', path, sys.bindUnix(listener, path))
check('listen', path, sys.listen(listener, 8))
sys.watch(listener, EPOLLIN, () => {
  const connection = check('accept', path, sys.accept4(listener, 0))
  const buffer = new Uint8Array(65536)
  const { bytes, fds } = checked('recvmsg', path, sys.recvFds(connection, buffer, 1))
  const filter = fds[0] ?? -1
  sys.watch(filter, EPOLLIN, () => answer(filter))
  // Some write the document over several lines: a NUL ends it.
  buffer[bytes] = 0
  sys.write(1, buffer, 0, bytes + 1)
})

function answer(filter: number): void {
  const asked = new Uint8Array(80)
  const got = sys.ioctlBuffer(filter, SECCOMP_IOCTL_NOTIF_RECV, asked)
  // The last process with the filter has ended, or whoever asked.
  if (got === -E.ENOENT || got === -E.EINTR) {
    sys.unwatch(filter)
    return
  }
  check('ioctl', 'SECCOMP_IOCTL_NOTIF_RECV', got)
  const answered = new Uint8Array(24)
  answered.set(asked.subarray(0, 8))
  sys.ioctlBuffer(filter, SECCOMP_IOCTL_NOTIF_SEND, answered)
}
