import { describe, expect, it } from 'vitest'
import type { LinuxDeviceCgroup } from '../../protocol/oci/resources.ts'
import { requestedDisks } from './disks.ts'

const disk = { path: '/dev/xvda', type: 'b', major: 7, minor: 3 }
const nothing: LinuxDeviceCgroup = { allow: false, access: 'rwm' }
const asked = (rules: LinuxDeviceCgroup[], devices = [disk]) => requestedDisks({ devices, resources: { devices: rules } }, () => false)

describe('requestedDisks', () => {
  it.each([
    ['without rules', [], false],
    ['with all permissions', [nothing, { allow: true, type: 'b', major: 7, minor: 3, access: 'rwm' }], false],
    ['without the permission to write', [nothing, { allow: true, type: 'b', major: 7, minor: 3, access: 'mr' }], true],
    ['by its major number', [nothing, { allow: true, type: 'b', major: 7, access: 'rwm' }], false],
    ['with writing taken away again', [{ allow: true, access: 'rwm' }, { allow: false, type: 'b', major: 7, minor: 3, access: 'w' }], true],
  ] satisfies [string, LinuxDeviceCgroup[], boolean][])('%s', (_what, rules, readonly) => {
    expect(asked(rules)).toEqual([{ major: 7, minor: 3, readonly, path: '/dev/xvda' }])
  })

  it('refuses a device that nobody may read', () => {
    expect(() => asked([nothing])).toThrow('block device /dev/xvda (7:3): the container\'s device rules do not allow to read it; give the device with permissions')
  })

  it('asks once for a device with two paths, and for no other kind', () => {
    expect(asked([], [disk, { ...disk, path: '/dev/other' }, { path: '/dev/null', type: 'c', major: 1, minor: 3 }])).toHaveLength(1)
  })
})
