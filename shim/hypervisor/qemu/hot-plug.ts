import { duplicate, type Fd } from '../../../native/ts/fd.ts'
import { within } from '../../../native/ts/clock.ts'
import { Fault } from '../../../native/ts/fault.ts'
import { Owner } from '../../../native/ts/owner.ts'
import type { Attachment, Device, Disk, Nic } from '../hypervisor.ts'
import { openVhost } from './nic.ts'
import type { Qmp } from './qmp.ts'
import type { RootPorts } from './root-ports.ts'

/** One QMP command; opening and closing a disk may wait for its storage. */
const commandLimitMs = 10_000
/** A guest that lets go of a device ejects it at once; asking meanwhile would be an error ("guest is busy"). */
const ejectLimitMs = 2_000
/** A guest that is asked by the attention button waits five seconds before it acts (drivers/pci/hotplug/pciehp_ctrl.c). */
const unplugLimitMs = 15_000

/**
 * Devices in a running QEMU, over QMP:
 *
 *   attach   add-fd (the descriptor travels with it) ─▶ blockdev-add /dev/fdset/<n> ─▶ device_add on a free root port
 *   attach   getfd (tap, vhost-net) ─▶ netdev_add ─▶ device_add on a free root port
 *   detach   (device_del, where the guest does not eject it by itself) ─▶ DEVICE_DELETED ─▶ blockdev-del ─▶ remove-fd
 *
 * QEMU is unprivileged and opens nothing itself.
 */
export class HotPlug {
  #lastId = 0
  /** Devices of ours that are plugged in, by QEMU's id: told when QEMU has forgotten them. */
  readonly #plugged = new Map<string, () => void>()

  constructor(private readonly qmp: Qmp, private readonly ports: RootPorts) {}

  /** Takes QMP's DEVICE_DELETED. */
  deviceDeleted(data: Record<string, unknown>): void {
    if (typeof data.device !== 'string') return
    this.#plugged.get(data.device)?.()
    this.#plugged.delete(data.device)
  }

  async attach(device: Device): Promise<Attachment> {
    const id = `hot${++this.#lastId}`
    await using owner = new Owner()
    const port = this.ports.take()
    owner.defer('slot', () => this.ports.give(port))
    const driver = await this.#addBackend(id, device, owner)
    const gone = new Promise<void>(resolve => this.#plugged.set(id, resolve))
    try {
      await this.#command('device_add', { ...driver, id, bus: port.bus })
    } catch (error) {
      this.#plugged.delete(id)
      throw error
    }
    return new Plugged(`${port.pciPath}/00.0`, owner.move(), () => this.#unplug(id, gone, device.kind === 'disk'))
  }

  /** What the device stands on in QEMU, owed to `owner`; gives the driver of the device and its properties. */
  #addBackend(id: string, device: Device, owner: Owner): Promise<Record<string, unknown>> {
    return device.kind === 'nic' ? this.#addNic(id, device, owner) : this.#addDisk(id, device, owner)
  }

  async #addDisk(id: string, disk: Disk, owner: Owner): Promise<Record<string, unknown>> {
    const set = ++this.#lastId
    await within(this.qmp.executeWithFd('add-fd', duplicate(disk.file.number, disk.file.what), { 'fdset-id': set }), commandLimitMs, 'QMP add-fd')
    owner.defer('descriptor in QEMU', () => this.#command('remove-fd', { 'fdset-id': set }))
    const node = `${id}-disk`
    await this.#command('blockdev-add', {
      'driver': disk.type === 'block' ? 'host_device' : 'file', 'node-name': node, 'filename': `/dev/fdset/${set}`, 'read-only': disk.readonly,
      // Who else uses the device is the business of whoever gave it to the container, as with a container of the host.
      'locking': 'off', 'discard': disk.readonly ? 'ignore' : 'unmap',
    })
    owner.defer('disk in QEMU', () => this.#command('blockdev-del', { 'node-name': node }))
    return { driver: 'virtio-blk-pci', drive: node }
  }

  async #addNic(id: string, nic: Nic, owner: Owner): Promise<Record<string, unknown>> {
    const netdev = `${id}-net`
    const give = async (name: string, fd: Fd): Promise<string> => {
      await within(this.qmp.executeWithFd('getfd', fd, { fdname: name }), commandLimitMs, 'QMP getfd')
      return name
    }
    const backend = { type: 'tap', id: netdev, fd: await give(`${id}-tap`, duplicate(nic.tap.number, nic.tap.what)) }
    const vhost = openVhost()
    // netdev_add takes over the descriptors, and closes them with the netdev.
    await this.#command('netdev_add', vhost ? { ...backend, vhost: true, vhostfd: await give(`${id}-vhost`, vhost) } : backend)
    owner.defer('netdev in QEMU', () => this.#command('netdev_del', { id: netdev }))
    return { driver: 'virtio-net-pci', netdev, mac: nic.mac, romfile: '', ...(nic.mtu > 0 && { host_mtu: nic.mtu }) }
  }

  /** `ejects`: the guest was told to let go, and is expected to eject the device by itself. */
  async #unplug(id: string, gone: Promise<void>, ejects: boolean): Promise<void> {
    if (!this.#plugged.has(id)) return
    const ejected = ejects && within(gone, ejectLimitMs, 'ejecting a device').then(() => true, () => false)
    if (await ejected) return
    const asked = this.#command('device_del', { id }).then(() => undefined, (error: unknown) => error)
    // Refused while the guest is about to eject it after all.
    const limitMs = await asked === undefined ? unplugLimitMs : ejectLimitMs
    await within(gone, limitMs, 'taking a device from the guest', 'it goes with the VM')
  }

  async #command(name: string, args: Record<string, unknown>): Promise<void> {
    await within(this.qmp.execute(name, args), commandLimitMs, `QMP ${name}`)
  }
}

class Plugged implements Attachment {
  #detached: Promise<void> | undefined

  constructor(readonly pciPath: string, private readonly owner: Owner, private readonly unplug: () => Promise<void>) {}

  detach(): Promise<void> {
    this.#detached ??= (async () => {
      // A device that the guest keeps keeps its slot and its disk.
      await this.unplug()
      await this.owner.release()
    })()
    return this.#detached
  }
}
