import { describe, expect, it } from 'vitest'
import type { Linux } from '../../../protocol/oci/linux.ts'
import { planMount } from '../rootfs/mount-options.ts'
import { cgroupOwner } from './ownership.ts'

const shift = [{ containerID: 0, hostID: 100_000, size: 10 }, { containerID: 10, hostID: 5000, size: 10 }]
const own: Linux = { namespaces: [{ type: 'cgroup' }], uidMappings: shift }

const ownerOf = (linux: Linux, uid = 0, options: string[] = ['nosuid']) =>
  cgroupOwner({ ociVersion: '1.2.0', linux, process: { cwd: '/', user: { uid, gid: 0 } } }, [planMount({ destination: '/sys/fs/cgroup/', type: 'cgroup', source: 'cgroup', options }, '/bundle')])

describe('the owner of a cgroup', () => {
  it.each([
    ['root of a user namespace', ownerOf(own), 100_000], ['another user of one', ownerOf(own, 13), 5003], ['a user of the machine', ownerOf({ namespaces: [{ type: 'cgroup' }] }, 7), 7],
    ['nobody, who is not mapped', ownerOf(own, 99), undefined], ['root itself', ownerOf({ namespaces: [{ type: 'cgroup' }] }), undefined],
    ['nobody in a cgroup namespace of others', ownerOf({ namespaces: [{ type: 'cgroup', path: '/x' }], uidMappings: shift }), undefined],
    ['nobody without one', ownerOf({ uidMappings: shift }), undefined], ['nobody who may only read', ownerOf(own, 0, ['ro']), undefined],
  ])('is %s', (_who, owner, expected) => expect(owner).toBe(expected))
})
