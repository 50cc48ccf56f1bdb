import { beforeEach, describe, expect, it } from 'vitest'
import { fake } from '../../native/ts/fake/sys.ts'
import type { Device } from '../hypervisor/hypervisor.ts'
import { Disks } from './disks.ts'

const request = { major: 7, minor: 3, readonly: false, path: '/dev/xvda' }

/** A hypervisor and an agent that note what they are asked. */
class Vm {
  readonly told: string[] = []
  answers = true
  refuses = false
  readonly disks = new Disks({
    attach: async (device: Device) => {
      if (device.kind !== 'disk') throw new Error(`no disk: ${device.kind}`)
      this.told.push(`attach ${device.file.what} ${device.readonly ? 'ro' : 'rw'}`)
      if (this.refuses) throw new Error('no slot')
      return { pciPath: '10.0/00.0', detach: async () => { this.told.push('detach') } }
    },
  }, () => this.answers ? { releaseDisk: async pciPath => { this.told.push(`release ${pciPath}`) } } : undefined)
}

describe('Disks', () => {
  let vm: Vm
  beforeEach(() => {
    fake.reset()
    fake.put('/sys/dev/block/7:3/uevent', 'MAJOR=7\nMINOR=3\nDEVNAME=loop3\nDEVTYPE=disk\n')
    fake.put('/dev/loop3', '')
    fake.onCall('statx', () => ({ mode: 0o060660, rdevMajor: 7, rdevMinor: 3 }))
    vm = new Vm()
  })

  it('is one disk for all containers that have it, and leaves with the last', async () => {
    expect(await Promise.all([vm.disks.take(request), vm.disks.take(request)])).toEqual(['10.0/00.0', '10.0/00.0'])
    expect(vm.told).toEqual(['attach /dev/loop3 rw'])
    await vm.disks.release(request)
    expect(vm.told).toHaveLength(1)
    await vm.disks.release(request)
    expect(vm.told.slice(1)).toEqual(['release 10.0/00.0', 'detach'])
    expect(fake.held().fds).toEqual([])
  })

  it('is opened anew, read-only, where that was asked for', async () => {
    await vm.disks.take({ ...request, readonly: true })
    expect(vm.told).toEqual(['attach /dev/loop3 ro'])
    expect(fake.callsOf('openat')[0]?.[2]).toBe(0)
  })

  it('leaves it to the end of the VM where no guest answers any more', async () => {
    await vm.disks.take(request)
    vm.answers = false
    await vm.disks.release(request)
    expect(vm.told).toEqual(['attach /dev/loop3 rw'])
  })

  it('says which device could not be had, and forgets it', async () => {
    vm.refuses = true
    await expect(vm.disks.take(request)).rejects.toMatchObject({ message: 'block device /dev/xvda (7:3)', cause: { message: 'no slot' } })
    expect(fake.held().fds).toEqual([])
    vm.refuses = false
    expect(await vm.disks.take(request)).toBe('10.0/00.0')
  })

  it.each([
    ['that is not there', () => fake.nodes.delete('/sys/dev/block/7:3/uevent'), 'the host has no such block device'],
    ['whose name leads elsewhere', () => fake.onCall('statx', () => ({ mode: 0o100660, rdevMajor: 7, rdevMinor: 3 })), '/dev/loop3 is another file'],
  ])('refuses a device %s', async (_what, change, message) => {
    change()
    await expect(vm.disks.take(request)).rejects.toMatchObject({ cause: { message: expect.stringContaining(message) } })
    expect(fake.held().fds).toEqual([])
  })
})
