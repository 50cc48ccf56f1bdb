import { describe, expect, it } from 'vitest'
import { MOUNT_ATTR_NOATIME, MOUNT_ATTR_NOEXEC, MOUNT_ATTR_NOSUID, MOUNT_ATTR_RDONLY, MOUNT_ATTR__ATIME, MS_SLAVE } from '../../../native/ts/constants/mount.ts'
import { planMount } from './mount-options.ts'

const plan = (options: string[], type?: string) => planMount({ destination: '/d', ...(type === undefined ? {} : { type }), source: '/s', options }, '/bundle')

describe('mount options', () => {
  it('sorts attributes, superblock flags and data', () => {
    expect(plan(['ro', 'nosuid', 'sync', 'size=64k', 'mode=755'], 'tmpfs')).toMatchObject({
      kind: 'filesystem', attributes: { set: MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID, clear: 0 }, flags: ['sync'], data: ['size=64k', 'mode=755'],
    })
  })

  it('lets the last of two contrary options count', () => {
    expect(plan(['ro', 'rw', 'exec', 'noexec']).attributes).toEqual({ set: MOUNT_ATTR_NOEXEC, clear: MOUNT_ATTR_RDONLY })
  })

  it('clears the access-time field to set a mode of it', () => {
    expect(plan(['noatime']).attributes).toEqual({ set: MOUNT_ATTR_NOATIME, clear: MOUNT_ATTR__ATIME })
  })

  it.each([
    [['bind'], undefined, 'bind'], [['rbind'], undefined, 'rbind'], [['rbind', 'ro'], 'none', 'rbind'], [['bind'], 'bind', 'bind'], [[], 'bind', 'rbind'], [['rbind'], 'bind', 'rbind'],
  ] as const)('%j of type %s is a %s', (options, type, kind) => {
    expect(plan([...options], type).kind).toBe(kind)
  })

  it('keeps recursive attributes apart', () => {
    expect(plan(['rro', 'rnosuid'])).toMatchObject({ attributes: { set: 0, clear: 0 }, recursiveAttributes: { set: MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID, clear: 0 } })
  })

  it('takes propagation for what it is, not for a recursive attribute', () => {
    expect(plan(['rslave'])).toMatchObject({ propagation: [{ flag: MS_SLAVE, recursive: true }], recursiveAttributes: { set: 0, clear: 0 }, data: [] })
  })

  it('does not take relatime for a recursive option', () => {
    expect(plan(['relatime'])).toMatchObject({ recursiveAttributes: { set: 0, clear: 0 }, data: [] })
  })
})
