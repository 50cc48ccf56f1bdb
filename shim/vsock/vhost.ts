import * as sys from 'native:sys'
import { VHOST_VSOCK_SET_GUEST_CID } from '../../native/ts/constants/ioctl.ts'
import { AT_FDCWD, O_RDWR } from '../../native/ts/constants/fcntl.ts'
import { VMADDR_CID_ANY, VMADDR_PORT_ANY } from '../../native/ts/constants/socket.ts'
import { check, checked, E, SysError } from '../../native/ts/errno.ts'
import { Fault } from '../../native/ts/fault.ts'
import { open, type Fd } from '../../native/ts/fd.ts'
import { accept, connectVsock, listenVsock } from '../../native/ts/socket.ts'
import type { GuestVsock, VsockDevice } from './vsock.ts'

const devicePath = '/dev/vhost-vsock'

/** 0, 1 and 2 mean hypervisor, local and host; 0xffffffff means any (vsock(7)). */
const firstCid = 3
const lastCid = 0xffff_fffe
/** With 4 billion CIDs a random one is taken about once in a million on a full host. */
const attempts = 16

/**
 * Whether the device opens. That it is there says little: kmod makes the node for a module that may not exist (ENODEV then),
 * and a container shows the node without the right to open it.
 */
export function hasKernelVhost(): boolean {
  const device = sys.openat(AT_FDCWD, devicePath, O_RDWR, 0)
  if (device < 0) return false
  sys.close(device)
  return true
}

/** vsock by the kernel's vhost-vsock: AF_VSOCK sockets, one CID a VM. */
export class KernelVsock implements GuestVsock {
  readonly daemon = undefined
  #device: Fd | undefined
  #listener: Fd | undefined
  #guestCid = 0

  async listen(): Promise<VsockDevice> {
    this.#device = open(devicePath, O_RDWR)
    this.#guestCid = claimCid(this.#device)
    // The kernel chooses a port nobody else listens on: AF_VSOCK has one port space for all VMs of the host.
    this.#listener = listenVsock(VMADDR_CID_ANY, VMADDR_PORT_ANY)
    const { port } = checked('getsockname', this.#listener.what, sys.getsocknameVsock(this.#listener.number))
    return { kind: 'vhost', fd: this.#device.number, guestCid: this.#guestCid, controlPort: port }
  }

  async acceptAgent(): Promise<Fd> {
    const listener = this.#listener
    if (!listener) throw new Fault('vsock: accept without a listener')
    for (;;) {
      const connection = await accept(listener)
      const peer = sys.getpeernameVsock(connection.number)
      if (typeof peer !== 'number' && peer.cid === this.#guestCid) {
        this.#closeListener()
        return connection
      }
      // Another VM found the port: not ours, and no reason to stop waiting.
      connection.close()
    }
  }

  connect(port: number): Promise<Fd> {
    return connectVsock(this.#guestCid, port)
  }

  async close(): Promise<void> {
    this.#closeListener()
    // The CID is free again when the last descriptor of the device is closed.
    this.#device?.close()
  }

  #closeListener(): void {
    if (!this.#listener?.open) return
    sys.unwatch(this.#listener.number)
    this.#listener.close()
  }
}

/** Sets a CID nobody has on `device` (borrowed); gives it. Throws SysError, Fault when none was free. */
function claimCid(device: Fd): number {
  const random = new Uint8Array(4)
  const argument = new Uint8Array(8)
  for (let attempt = 0; attempt < attempts; attempt++) {
    check('getrandom', 'guest CID', sys.getrandom(random))
    const cid = firstCid + new DataView(random.buffer).getUint32(0, true) % (lastCid - firstCid + 1)
    new DataView(argument.buffer).setBigUint64(0, BigInt(cid), true)
    const result = sys.ioctlBuffer(device.number, VHOST_VSOCK_SET_GUEST_CID, argument)
    if (result >= 0) return cid
    if (result !== -E.EADDRINUSE) throw new SysError('ioctl', `VHOST_VSOCK_SET_GUEST_CID ${cid}`, -result)
  }
  throw new Fault(`no free vsock CID after ${attempts} attempts`)
}
