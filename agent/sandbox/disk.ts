import * as sys from 'native:sys'
import { AT_FDCWD, O_WRONLY } from '../../native/ts/constants/fcntl.ts'
import { SIGCHLD } from '../../native/ts/constants/signal.ts'
import { checked } from '../../native/ts/errno.ts'
import { Fd } from '../../native/ts/fd.ts'
import { readTextIfPresent } from '../../native/ts/file.ts'
import type { Disk, ReleaseDiskRequest } from '../../protocol/gen/agent.ts'
import type { LinuxDevice } from '../../protocol/oci/linux.ts'
import type { LinuxDeviceCgroup } from '../../protocol/oci/resources.ts'
import type { Spec } from '../../protocol/oci/spec.ts'
import { invalid } from '../refusal.ts'
import { whenDeviceFound } from './uevents.ts'

/** The kernel waits a second after it has switched a slot on (drivers/pci/hotplug), and may be busy under emulation. */
const appearLimitMs = 30_000
const pciDevices = '/sys/bus/pci/devices'
const pciSlots = '/sys/bus/pci/slots'
/** Where the devices of the root bus are (drivers/pci: domain, bus). */
const rootBus = '0000:00'

/** A disk's numbers on the host, and in this kernel. */
interface Numbers {
  host: { major: number; minor: number }
  guest: { major: number; minor: number }
}

/** The spec with the numbers that its disks have here; waits until the kernel has found them. Rejects with the disk that did not come. */
export async function withGuestDisks(spec: Spec, disks: readonly Disk[]): Promise<Spec> {
  if (disks.length === 0) return spec
  const numbers = await Promise.all(disks.map(async ({ pciPath, hostMajor, hostMinor }) => ({
    host: { major: hostMajor, minor: hostMinor }, guest: await numbersOfDisk(pciPath),
  })))
  return withNumbers(spec, numbers)
}

/** Devices and device rules of the spec, by the disks' numbers here. Throws Refusal for a block device that is none of them. */
export function withNumbers(spec: Spec, disks: readonly Numbers[]): Spec {
  const find = (major?: number, minor?: number) => disks.find(({ host }) => host.major === major && host.minor === minor)?.guest
  const devices = spec.linux?.devices?.map((device): LinuxDevice => {
    if (device.type !== 'b') return device
    const guest = find(device.major, device.minor)
    if (!guest) throw invalid(`device ${device.path} (${device.major}:${device.minor}) is none of the container's disks`)
    return { ...device, ...guest }
  })
  const rules = spec.linux?.resources?.devices?.map((rule): LinuxDeviceCgroup =>
    rule.type === 'b' ? { ...rule, ...find(rule.major, rule.minor) } : rule)
  return {
    ...spec,
    linux: {
      ...spec.linux,
      ...(devices && { devices }),
      ...(rules && { resources: { ...spec.linux?.resources, devices: rules } }),
    },
  }
}

function numbersOfDisk(pciPath: string): Promise<Numbers['guest']> {
  return whenDeviceFound(`disk at PCI path ${pciPath}`, appearLimitMs, () => {
    const device = pciDevice(pciPath)
    const virtio = device && entry(device, /^virtio\d+$/)
    const disk = virtio && entry(`${virtio}/block`, /^vd[a-z]+$/)
    const [, major, minor] = /^(\d+):(\d+)\n$/.exec((disk && readTextIfPresent(`${disk}/dev`)) ?? '') ?? []
    return major === undefined ? undefined : { major: Number(major), minor: Number(minor) }
  })
}

/** The device's directory in sysfs; undefined while it is not there. Throws Refusal for what is no path of slots. */
function pciDevice(pciPath: string): string | undefined {
  if (!/^[0-9a-f]{2}\.[0-7](\/[0-9a-f]{2}\.[0-7]){0,7}$/.test(pciPath)) throw invalid(`${JSON.stringify(pciPath)} is no path of PCI slots`)
  const [first = '', ...below] = pciPath.split('/')
  // The number of a bus below a bridge is the kernel's choice.
  return below.reduce<string | undefined>((at, slot) => at && entry(at, new RegExp(`^[0-9a-f]{4}:[0-9a-f]{2}:${slot.replace('.', '\\.')}$`)), `${pciDevices}/${rootBus}:${first}`)
}

/** The entry of `directory` that has such a name, with its path. */
function entry(directory: string, name: RegExp): string | undefined {
  const entries = sys.readdir(AT_FDCWD, directory)
  const found = typeof entries === 'number' ? undefined : entries.find(each => name.test(each.name))
  return found && `${directory}/${found.name}`
}

/**
 * ReleaseDisk: switches the disk's slot off, so that the VMM ejects it at once; by the attention button it would take
 * five seconds. The kernel flushes and forgets the disk first. Not there any more: nothing to do.
 */
export function releaseDisk({ pciPath }: ReleaseDiskRequest): object {
  const device = pciDevice(pciPath)
  const slot = device && slotOf(device.slice(device.lastIndexOf('/') + 1))
  if (slot === undefined) return {}
  // The write(2) comes back a second after the slot has lost its power, and PID 1 has other things to do.
  const child = checked('clone3', 'for slot power', sys.clone3({ flags: 0, exitSignal: SIGCHLD }))
  if (child.pid === 0) sys._exit(sys.writeFile(AT_FDCWD, `${slot}/power`, '0', O_WRONLY, 0) < 0 ? 1 : 0)
  new Fd(child.pidfd, 'pidfd of slot power').close()
  return {}
}

/** The hot-plug slot in which the function `address` (`0000:01:00.0`) sits. */
function slotOf(address: string): string | undefined {
  const slots = sys.readdir(AT_FDCWD, pciSlots)
  if (typeof slots === 'number') return undefined
  const name = slots.find(slot => readTextIfPresent(`${pciSlots}/${slot.name}/address`)?.trim() === address.replace(/\.\d$/, ''))?.name
  return name === undefined ? undefined : `${pciSlots}/${name}`
}
