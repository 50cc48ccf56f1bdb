import * as sys from 'native:sys'
import { E, SysError } from '../../../native/ts/errno.ts'

/** ppoll(2) by number: x86_64's and the generic table's (aarch64). include/uapi/asm-generic/unistd.h */
const SYS_ppoll = 271
const POLLIN = 1

/**
 * Waits until `fd` (borrowed) can be read, at most `limitMs` (-1: without a limit); false when the time was up.
 * For init, where no event loop runs.
 */
export function pollReadable(fd: number, limitMs: number): boolean {
  const pollfd = new DataView(new ArrayBuffer(8)) // struct pollfd (poll(2)): fd, events, revents
  pollfd.setInt32(0, fd, true)
  pollfd.setInt16(4, POLLIN, true)
  const timespec = new DataView(new ArrayBuffer(16)) // struct timespec: seconds, nanoseconds
  timespec.setBigInt64(0, BigInt(Math.floor(limitMs / 1000)), true)
  timespec.setBigInt64(8, BigInt((limitMs % 1000) * 1_000_000), true)
  for (;;) {
    const ready = sys.syscall(SYS_ppoll, new Uint8Array(pollfd.buffer), 1, limitMs < 0 ? null : new Uint8Array(timespec.buffer), null, 8)
    if (ready === -E.EINTR) continue
    if (ready < 0) throw new SysError('ppoll', `descriptor ${fd}`, -ready)
    return ready > 0
  }
}
