import * as sys from 'native:sys'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { fake } from '../../../native/ts/fake/sys.ts'
import { Fd } from '../../../native/ts/fd.ts'
import type { Disk } from '../hypervisor.ts'
import { HotPlug } from './hot-plug.ts'
import type { Qmp } from './qmp.ts'
import { RootPorts, rootPortArguments } from './root-ports.ts'

/** QMP that agrees to everything but `refused`, and notes what it was asked. */
class FakeQmp {
  readonly asked: string[] = []
  readonly arguments: Record<string, unknown>[] = []
  refused = ''

  async execute(command: string, args: Record<string, unknown> = {}): Promise<unknown> {
    this.asked.push(command)
    this.arguments.push(args)
    if (command === this.refused) throw new Error(`QMP ${command}: no`)
    return {}
  }

  async executeWithFd(command: string, fd: Fd, args: Record<string, unknown> = {}): Promise<unknown> {
    fd.close()
    return this.execute(command, args)
  }
}

describe('HotPlug', () => {
  let qmp: FakeQmp
  let ports: RootPorts
  let plug: HotPlug
  const disk = (type: Disk['type'] = 'block', readonly = false): Disk =>
    ({ kind: 'disk', file: new Fd(Number(sys.eventfd(0, 0)), 'disk'), type, readonly })

  beforeEach(() => {
    fake.reset()
    qmp = new FakeQmp()
    ports = new RootPorts(1)
    plug = new HotPlug(qmp as unknown as Qmp, ports) // the two methods that it calls
  })

  it('plugs a disk in by its descriptor alone, and says where the guest finds it', async () => {
    const attached = await plug.attach(disk('block', true))
    expect(attached.pciPath).toBe('10.0/00.0')
    expect(qmp.asked).toEqual(['add-fd', 'blockdev-add', 'device_add'])
    expect(qmp.arguments[1]).toMatchObject({ 'driver': 'host_device', 'read-only': true, 'filename': expect.stringMatching(/^\/dev\/fdset\/\d+$/) })
    expect(qmp.arguments[2]).toMatchObject({ driver: 'virtio-blk-pci', bus: 'port0' })
  })

  it('takes a regular file as well', async () => {
    await plug.attach(disk('file'))
    expect(qmp.arguments[1]).toMatchObject({ 'driver': 'file', 'read-only': false })
  })

  it('plugs a NIC in by its tap\'s descriptor, and takes its backend away with it', async () => {
    const nic = { kind: 'nic', id: 'net0', tap: new Fd(Number(sys.eventfd(0, 0)), 'tap'), mac: '02:00:00:00:00:01', mtu: 1450 } as const
    const attached = await plug.attach(nic)
    expect(qmp.asked).toEqual(['getfd', 'netdev_add', 'device_add'])
    expect(qmp.arguments[1]).toEqual({ type: 'tap', id: 'hot1-net', fd: 'hot1-tap' })
    expect(qmp.arguments[2]).toMatchObject({ driver: 'virtio-net-pci', netdev: 'hot1-net', mac: nic.mac, host_mtu: 1450, romfile: '', bus: 'port0' })
    plug.deviceDeleted({ device: 'hot1' })
    await attached.detach()
    expect(qmp.asked.slice(3)).toEqual(['netdev_del'])
  })

  it('gives a NIC to the host\'s kernel where that takes it', async () => {
    fake.put('/dev/vhost-net', '')
    await plug.attach({ kind: 'nic', id: 'net0', tap: new Fd(Number(sys.eventfd(0, 0)), 'tap'), mac: '02:00:00:00:00:01', mtu: 0 })
    expect(qmp.arguments.find(args => args.type === 'tap')).toMatchObject({ vhost: true, vhostfd: 'hot1-vhost' })
  })

  it('says that no slot is left', async () => {
    await plug.attach(disk())
    await expect(plug.attach(disk())).rejects.toThrow('all 1 hot-plug slots of the VM are taken; raise hypervisor.hot_plug_slots')
  })

  it.each([
    ['blockdev-add', ['remove-fd']], ['device_add', ['blockdev-del', 'remove-fd']],
  ])('leaves nothing when %s is refused', async (refused, undone) => {
    qmp.refused = refused
    await expect(plug.attach(disk())).rejects.toThrow(`QMP ${refused}: no`)
    expect(qmp.asked.slice(qmp.asked.indexOf(refused) + 1)).toEqual(undone)
    expect(() => ports.take()).not.toThrow()
  })

  it('asks for nothing that the guest has ejected already', async () => {
    const attached = await plug.attach(disk())
    plug.deviceDeleted({ device: String(qmp.arguments[2]?.id) })
    qmp.asked.length = 0
    await attached.detach()
    await attached.detach()
    expect(qmp.asked).toEqual(['blockdev-del', 'remove-fd'])
    expect(() => ports.take()).not.toThrow()
  })

  it('waits for the guest that is about to eject it', async () => {
    const attached = await plug.attach(disk())
    qmp.asked.length = 0
    const detached = attached.detach()
    await Promise.resolve()
    plug.deviceDeleted({ device: 'another' })
    plug.deviceDeleted({ device: String(qmp.arguments[2]?.id) })
    await detached
    expect(qmp.asked).toEqual(['blockdev-del', 'remove-fd'])
  })

  describe('from a guest that does not eject it', () => {
    beforeEach(() => void vi.useFakeTimers())
    afterEach(() => void vi.useRealTimers())

    it('asks for it, and waits until it is gone', async () => {
      const attached = await plug.attach(disk())
      qmp.asked.length = 0
      const detached = attached.detach()
      await vi.advanceTimersByTimeAsync(2_100)
      expect(qmp.asked).toEqual(['device_del'])
      plug.deviceDeleted({ device: String(qmp.arguments[2]?.id) })
      await detached
      expect(qmp.asked).toEqual(['device_del', 'blockdev-del', 'remove-fd'])
    })

    it('keeps slot and disk when it never comes', async () => {
      const attached = await plug.attach(disk())
      const detached = expect(attached.detach()).rejects.toThrow('taking a device from the guest took longer than 15000 ms; it goes with the VM')
      await vi.advanceTimersByTimeAsync(20_000)
      await detached
      expect(qmp.asked.at(-1)).toBe('device_del')
      expect(() => ports.take()).toThrow('hot-plug slots')
    })
  })
})

describe('rootPortArguments', () => {
  it('puts eight ports on a slot, each with a slot number of its own', () => {
    const given = rootPortArguments(9).filter(word => word !== '-device')
    expect(given[0]).toBe('pcie-root-port,id=port0,bus=pcie.0,addr=10.0,multifunction=on,chassis=1,slot=1')
    expect(given[8]).toBe('pcie-root-port,id=port8,bus=pcie.0,addr=11.0,multifunction=on,chassis=9,slot=9')
    expect(rootPortArguments(0)).toEqual([])
  })
})
