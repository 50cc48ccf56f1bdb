import * as sys from 'native:sys'
import { O_NONBLOCK, O_RDWR } from '../../native/ts/constants/fcntl.ts'
import { IFF_NO_PI, IFF_TAP, IFF_VNET_HDR, IFNAMSIZ, ifreqBytes, TUNSETIFF } from '../../native/ts/constants/net.ts'
import { check } from '../../native/ts/errno.ts'
import { Fault } from '../../native/ts/fault.ts'
import { type Fd, open } from '../../native/ts/fd.ts'

const device = '/dev/net/tun'
/** The kernel puts the first free number for %d. */
const nameTemplate = 'kata%d'

/** A tap interface. It exists as long as a descriptor of it: the shim's until the VMM has one, then the VMM's. */
export interface Tap {
  fd: Fd
  name: string
}

/**
 * Makes a tap in the current network namespace; the caller owns its descriptor. Packets have a virtio-net header, so
 * that checksums and segments that a guest leaves to the device stay undone on the way to another guest. Throws Fault or SysError.
 */
export function openTap(): Tap {
  let fd: Fd
  try {
    fd = open(device, O_RDWR | O_NONBLOCK)
  } catch (cause) {
    throw new Fault(`${device} cannot be opened`, { cause, fix: 'load the module tun: a VM reaches its network through a tap interface' })
  }
  try {
    const ifreq = new Uint8Array(ifreqBytes)
    ifreq.set(sys.utf8Encode(nameTemplate))
    new DataView(ifreq.buffer).setUint16(IFNAMSIZ, IFF_TAP | IFF_NO_PI | IFF_VNET_HDR, true)
    check('ioctl TUNSETIFF', device, sys.ioctlBuffer(fd.number, TUNSETIFF, ifreq))
    return { fd, name: sys.utf8Decode(ifreq, 0, ifreq.indexOf(0)) }
  } catch (error) {
    fd.close()
    throw error
  }
}
