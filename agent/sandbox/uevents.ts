import * as sys from 'native:sys'
import { EPOLLIN } from '../../native/ts/constants/epoll.ts'
import { check } from '../../native/ts/errno.ts'
import { Fault } from '../../native/ts/fault.ts'
import { Fd } from '../../native/ts/fd.ts'
import { inMachineNetwork } from './machine-network.ts'

/** include/linux/socket.h, include/uapi/linux/netlink.h; group 1 is the kernel's own events (lib/kobject_uevent.c). */
const AF_NETLINK = 16
const SOCK_RAW_NONBLOCK = 3 | 0o4000
const NETLINK_KOBJECT_UEVENT = 15
const kernelGroup = 1

/** One event is at most 2 KiB of `KEY=value` (UEVENT_BUFFER_SIZE); what it says does not matter here. */
const maxEventBytes = 4096

/**
 * What `look` finds, asked at once and then after each event of the kernel's device model. Rejects with a Fault when
 * `limitMs` pass first, and with what `look` throws.
 */
export async function whenDeviceFound<T>(what: string, limitMs: number, look: () => T | undefined): Promise<T> {
  // Listening before looking: what appears in between is not missed.
  using socket = new Fd(check('socket', 'uevents', inMachineNetwork(() => sys.socket(AF_NETLINK, SOCK_RAW_NONBLOCK, NETLINK_KOBJECT_UEVENT))), 'uevents')
  check('bind', 'uevents', sys.bindNetlink(socket.number, 0, kernelGroup))
  const found = look()
  if (found !== undefined) return found
  const buffer = new Uint8Array(maxEventBytes)
  let timer = 0
  try {
    return await new Promise<T>((resolve, reject) => {
      timer = sys.setTimer(limitMs, () => reject(new Fault(`${what} did not appear within ${limitMs} ms`)))
      check('epoll_ctl', 'uevents', sys.watch(socket.number, EPOLLIN, () => {
        // Drained to the end; events that were lost (ENOBUFS) are a reason to look as well.
        while (sys.recv(socket.number, buffer, 0, buffer.length, 0) > 0);
        try {
          const seen = look()
          if (seen !== undefined) resolve(seen)
        } catch (error) {
          reject(error)
        }
      }))
    })
  } finally {
    sys.unwatch(socket.number)
    sys.clearTimer(timer)
  }
}
