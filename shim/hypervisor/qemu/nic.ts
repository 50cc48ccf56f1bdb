import { O_RDWR } from '../../../native/ts/constants/fcntl.ts'
import { isErrno, E } from '../../../native/ts/errno.ts'
import { type Fd, open } from '../../../native/ts/fd.ts'
import type { Nic } from '../hypervisor.ts'

/** A NIC as QEMU's command line names it. Descriptors are numbers in the VMM's process. */
export interface NicDevice {
  id: string
  mac: string
  mtu: number
  tapFd: number
  /** Of /dev/vhost-net: the host's kernel moves the packets. Undefined: QEMU does. */
  vhostFd?: number
}

/** QEMU's arguments for a NIC. Pure. `romfile=`: no boot over the network, so no ROM to read. */
export function nicArguments(nic: NicDevice): string[] {
  const vhost = nic.vhostFd === undefined ? '' : `,vhost=on,vhostfd=${nic.vhostFd}`
  const mtu = nic.mtu > 0 ? `,host_mtu=${nic.mtu}` : ''
  return [
    '-netdev', `tap,id=${nic.id},fd=${nic.tapFd}${vhost}`,
    '-device', `virtio-net-pci,netdev=${nic.id},id=${nic.id}-device,mac=${nic.mac},romfile=${mtu}`,
  ]
}

/** NICs with the descriptors to pass for them, which the VMM finds from `firstFd` on. Taps are borrowed; vhost descriptors go with the result. */
export function passNics(nics: readonly Nic[], firstFd: number): { devices: NicDevice[]; fds: number[] } & Disposable {
  const vhosts: Fd[] = []
  const fds: number[] = []
  const pass = (fd: number): number => firstFd + fds.push(fd) - 1
  const devices = nics.map(({ id, mac, mtu, tap }): NicDevice => {
    const device = { id, mac, mtu, tapFd: pass(tap.number) }
    const vhost = openVhost()
    if (!vhost) return device
    vhosts.push(vhost)
    return { ...device, vhostFd: pass(vhost.number) }
  })
  return { devices, fds, [Symbol.dispose]: () => { for (const vhost of vhosts) vhost.close() } }
}

/** One descriptor a NIC, the caller's; undefined where the host's kernel has no vhost-net, or does not give it to us. */
export function openVhost(): Fd | undefined {
  try {
    return open('/dev/vhost-net', O_RDWR)
  } catch (error) {
    if (isErrno(error, E.ENOENT, E.ENODEV, E.ENXIO, E.EACCES, E.EPERM)) return undefined
    throw error
  }
}
