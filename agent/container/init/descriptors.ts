import * as sys from 'native:sys'
import { CLOSE_RANGE_CLOEXEC, lastFd } from '../../../native/ts/constants/close_range.ts'
import { F_DUPFD_CLOEXEC } from '../../../native/ts/constants/fcntl.ts'
import { check } from '../../../native/ts/errno.ts'

/**
 * Closes every descriptor from 3 on but those in `keep`. What the parent holds for other containers,
 * the ends of their pipes above all, must not live on in an init that waits for its start.
 */
export function closeAllBut(keep: readonly number[]): void {
  let from = 3
  for (const fd of [...new Set(keep)].filter(fd => fd >= 3).sort((a, b) => a - b)) {
    if (fd > from) check('close_range', `${from}–${fd - 1}`, sys.closeRange(from, fd - 1, 0))
    from = fd + 1
  }
  check('close_range', `${from} and above`, sys.closeRange(from, lastFd, 0))
}

/**
 * Puts `fds` on 0, 1, 2, … and marks everything above as close-on-exec. They are lifted out of the way
 * first, so that none is overwritten before it is in place. `keep`: lifted as well; their new numbers are given.
 */
export function placeDescriptors(fds: readonly number[], keep: readonly number[]): number[] {
  const above = fds.length
  const lifted = fds.map(fd => lift(fd, above))
  const kept = keep.map(fd => lift(fd, above))
  lifted.forEach((fd, place) => check('dup3', `descriptor ${place}`, sys.dup3(fd, place, 0)))
  check('close_range', `${above} and above`, sys.closeRange(above, lastFd, CLOSE_RANGE_CLOEXEC))
  return kept
}

function lift(fd: number, above: number): number {
  return check('fcntl', 'F_DUPFD_CLOEXEC', sys.fcntl(fd, F_DUPFD_CLOEXEC, above))
}
