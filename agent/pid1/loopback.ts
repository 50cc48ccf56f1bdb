import * as sys from 'native:sys'
import { AF_NETLINK, NETLINK_ROUTE, SOCK_RAW } from '../../native/ts/constants/socket.ts'
import { check, SysError } from '../../native/ts/errno.ts'
import { Fd } from '../../native/ts/fd.ts'
import { Fault } from '../../native/ts/fault.ts'
import { parseAnswers } from '../../protocol/netlink/answer.ts'
import { linkSetUp } from '../../protocol/netlink/link.ts'

/** Of `lo` in every network namespace. */
const loopbackIndex = 1

/** Brings `lo` up (rtnetlink(7)); its addresses 127.0.0.1 and ::1 come by themselves. Throws SysError or Fault. */
export function bringLoopbackUp(): void {
  using socket = new Fd(check('socket', 'rtnetlink', sys.socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE)), 'rtnetlink')
  const request = linkSetUp(loopbackIndex, 1)
  check('send', socket.what, sys.send(socket.number, request, 0, request.length, 0))
  const buffer = new Uint8Array(8192)
  // The kernel answers within the send: this does not wait.
  const got = check('recv', socket.what, sys.recv(socket.number, buffer, 0, buffer.length, 0))
  const answer = parseAnswers(buffer.subarray(0, got))[0]
  if (answer?.kind === 'error') throw new SysError('rtnetlink', 'set lo up', answer.errno)
  if (answer?.kind !== 'ack') throw new Fault(`rtnetlink set lo up: expected ack, received ${answer?.kind ?? 'nothing'}`)
}
