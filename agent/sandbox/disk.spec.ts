import { beforeEach, describe, expect, it } from 'vitest'
import { fake } from '../../native/ts/fake/sys.ts'
import type { Spec } from '../../protocol/oci/spec.ts'
import { releaseDisk, withGuestDisks, withNumbers } from './disk.ts'

const disk = { host: { major: 7, minor: 3 }, guest: { major: 254, minor: 0 } }
const spec = (linux: Spec['linux']): Spec => ({ ociVersion: '1.1.0', linux: { ...linux } })

describe('withNumbers', () => {
  it('gives devices and rules the numbers of this kernel', () => {
    const changed = withNumbers(spec({
      devices: [{ path: '/dev/xvda', type: 'b', major: 7, minor: 3, uid: 5 }, { path: '/dev/null', type: 'c', major: 1, minor: 3 }],
      resources: { devices: [{ allow: false, access: 'rwm' }, { allow: true, type: 'b', major: 7, minor: 3, access: 'r' }, { allow: true, type: 'c', major: 7, minor: 3 }], pids: { limit: 3 } },
    }), [disk])
    expect(changed.linux?.devices).toEqual([{ path: '/dev/xvda', type: 'b', major: 254, minor: 0, uid: 5 }, { path: '/dev/null', type: 'c', major: 1, minor: 3 }])
    expect(changed.linux?.resources).toEqual({
      devices: [{ allow: false, access: 'rwm' }, { allow: true, type: 'b', major: 254, minor: 0, access: 'r' }, { allow: true, type: 'c', major: 7, minor: 3 }], pids: { limit: 3 },
    })
  })

  it('refuses a block device that is none of the disks', () => {
    expect(() => withNumbers(spec({ devices: [{ path: '/dev/sda', type: 'b', major: 8, minor: 0 }] }), [disk])).toThrow("/dev/sda (8:0) is none of the container's disks")
  })
})

describe('a disk by its PCI path', () => {
  const bridge = '/sys/bus/pci/devices/0000:00:10.3'
  beforeEach(() => {
    fake.reset()
    fake.makeParents(`${bridge}/x`)
  })

  it('is waited for until the kernel has found it', async () => {
    const made = withGuestDisks(spec({ devices: [{ path: '/dev/xvda', type: 'b', major: 7, minor: 3 }] }), [{ pciPath: '10.3/00.0', hostMajor: 7, hostMinor: 3 }])
    const [[watched, callback] = []] = [...fake.watches].map(([fd, watch]) => [fd, watch.callback] as const)
    fake.onCall('recv', () => -11)
    callback?.(1)
    fake.put(`${bridge}/0000:04:00.0/virtio5/block/vda/dev`, '254:16\n')
    callback?.(1)
    expect((await made).linux?.devices).toEqual([{ path: '/dev/xvda', type: 'b', major: 254, minor: 16 }])
    expect(watched).toBeDefined()
    expect(fake.held()).toMatchObject({ fds: [], watches: [] })
  })

  it('leaves its slot by losing its power, in a process of its own', () => {
    fake.put(`${bridge}/0000:04:00.0/virtio5/block/vda/dev`, '254:16\n')
    fake.put('/sys/bus/pci/slots/3/address', '0000:03:00\n')
    fake.put('/sys/bus/pci/slots/4/address', '0000:04:00\n')
    fake.put('/sys/bus/pci/slots/4/power', '1\n')
    fake.onCall('clone3', () => ({ pid: 0, pidfd: -1 }))
    fake.onCall('_exit', () => { throw new Error('the child ends') })
    expect(() => releaseDisk({ pciPath: '10.3/00.0' })).toThrow('the child ends')
    expect(fake.callsOf('writeFile').map(call => call.slice(1, 3))).toEqual([['/sys/bus/pci/slots/4/power', '0']])
  })

  it('that is gone already needs nothing', () => {
    expect(releaseDisk({ pciPath: '10.3/00.0' })).toEqual({})
    expect(fake.names()).not.toContain('clone3')
  })

  it.each(['', '10', '../../etc', '10.3/..', '10.8/00.0', '10.3/00.0/'])('refuses the path %j', pciPath => {
    expect(() => releaseDisk({ pciPath })).toThrow('is no path of PCI slots')
  })
})
