import { S_IFBLK, S_IFCHR, S_IFMT, S_IFSOCK } from '../../native/ts/constants/stat.ts'
import { Fault } from '../../native/ts/fault.ts'
import type { Fd } from '../../native/ts/fd.ts'
import { fstat } from '../../native/ts/file.ts'
import { isUniversalCharacterDevice } from '../spec/devices.ts'

/**
 * Files that mean something else, or nothing, under another kernel: bound into a container of a microVM they would fail
 * at their first use, far from the cause. Borrows `file`, the bind's source. Throws Fault.
 */
export function refuseForeign(file: Fd): void {
  const { mode, rdevMajor, rdevMinor } = fstat(file.number, file.what)
  switch (mode & S_IFMT) {
    case S_IFSOCK:
      throw new Fault(`bind mount of the unix socket ${file.what}: who listens there cannot be reached from another kernel`, {
        fix: 'reach the service over the network, or run the pod with another runtime',
      })
    case S_IFBLK:
      throw new Fault(`bind mount of the block device ${file.what}: the guest has other devices under its number`, {
        fix: 'give it as a device: volumeDevices of a pod, --device of ctr',
      })
    case S_IFCHR:
      if (isUniversalCharacterDevice(rdevMajor, rdevMinor)) return
      throw new Fault(`bind mount of the device ${file.what} (${rdevMajor}:${rdevMinor}): the guest does not have it`, { fix: 'leave it out' })
  }
}
