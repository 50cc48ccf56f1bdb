import { errnoName } from '../../native/ts/errno.ts'
import { RtNetlink } from '../../native/ts/rtnetlink.ts'
import { linkSetUp } from '../../protocol/netlink/link.ts'
import { NetlinkSession } from '../../protocol/netlink/session.ts'

/** Of `lo` in every network namespace. */
const loopbackIndex = 1

/** Brings `lo` up (rtnetlink(7)); its addresses 127.0.0.1 and ::1 come by themselves. Throws SysError or NetlinkRefusal. */
export function bringLoopbackUp(): void {
  using socket = new RtNetlink()
  new NetlinkSession(socket, errnoName).change({ what: 'lo up', message: sequence => linkSetUp(loopbackIndex, sequence) })
}
