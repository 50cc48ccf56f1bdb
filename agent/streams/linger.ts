import * as sys from 'native:sys'
import { EPOLLIN, EPOLLRDHUP } from '../../native/ts/constants/epoll.ts'
import { E } from '../../native/ts/errno.ts'
import type { Fd } from '../../native/ts/fd.ts'

/** A peer that was told of the end and does not close in this time has forgotten the connection. */
const limitMs = 60_000

/**
 * Closes `connection` (ownership taken) once the host did: data in flight is lost when the guest closes first
 * (vhost-device-vsock), so after the last byte our end just waits. What still arrives is discarded.
 */
export function closeAfterPeer(connection: Fd): void {
  const discarded = new Uint8Array(4096)
  const number = connection.number
  const close = (): void => {
    sys.clearTimer(timer)
    sys.unwatch(number)
    connection.close()
  }
  const timer = sys.setTimer(limitMs, close)
  const watched = sys.watch(number, EPOLLIN | EPOLLRDHUP, () => {
    const got = sys.recv(number, discarded, 0, discarded.length, 0)
    if (got === 0 || (got < 0 && got !== -E.EAGAIN)) close()
  })
  if (watched < 0) close()
}
