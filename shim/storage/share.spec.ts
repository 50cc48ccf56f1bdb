import { beforeEach, describe, expect, it } from 'vitest'
import { AT_RECURSIVE } from '../../native/ts/constants/fcntl.ts'
import { MOUNT_ATTR_IDMAP, MOUNT_ATTR_NODEV, MOUNT_ATTR_NOSUID, MOUNT_ATTR_RDONLY, MS_SHARED } from '../../native/ts/constants/mount.ts'
import { E } from '../../native/ts/errno.ts'
import { fake } from '../../native/ts/fake/sys.ts'
import { makeDirectories } from '../../native/ts/file.ts'
import { isKernelFileSystem, kernelMountsBelow } from './kernel-file-systems.ts'
import { Share } from './share.ts'

const state = '/run/kata-ts/default/s1'
const overlay = { type: 'overlay', source: 'overlay', options: ['lowerdir=/s/1/fs'] }

/** The fake kernel has no mount tree: calls that move mounts are recorded, directories are seen through to share.host. */
describe('share', () => {
  beforeEach(() => {
    fake.reset()
    makeDirectories(state)
    fake.put('/proc/self/mountinfo', '')
    fake.put('/volume/file', 'x')
  })
  const attributes = (path: string) => fake.callsOf('mountSetattr').filter(call => call[1] === path).map(call => call[3])

  it('is exported read-only and shared, the host\'s side of it is neither', () => {
    Share.open(state)
    const [exported] = attributes(`${state}/share`) as { set: number; propagation: number }[]
    expect([(exported?.set ?? 0) & MOUNT_ATTR_RDONLY, exported?.propagation]).toEqual([MOUNT_ATTR_RDONLY, MS_SHARED])
    expect(attributes(`${state}/share.host`)).toMatchObject([{ set: 0 }])
  })

  it('maps the ids of an overlay by its layers, and leaves nothing of them where it made them', () => {
    const share = Share.open(state)
    fake.onCall('writeFile', (_dirfd: number, _path: string, text: string) => text.length)
    fake.onCall('openat', (_dirfd: number, path: string) => fake.install({ what: path, position: 0 }))
    fake.calls = []
    const layers = { type: 'overlay', source: 'overlay', options: ['lowerdir=/s/2/fs:/s/1/fs', 'upperdir=/s/3/fs', 'workdir=/s/3/work', 'uidmap=0:100000:65536', 'gidmap=0:100000:65536'] }
    share.addRootfs('c1', [layers])
    const places = [0, 1].map(index => `${state}/share.host/c1/layers/${index}`)
    expect(fake.callsOf('openTree').map(call => call[1]).slice(0, 2)).toEqual(['/s/2/fs', '/s/1/fs'])
    expect(fake.callsOf('mountSetattr').slice(0, 2).map(call => call[3])).toMatchObject([{ set: MOUNT_ATTR_IDMAP }, { set: MOUNT_ATTR_IDMAP }])
    expect(fake.callsOf('mount')[0]?.[4]).toBe(`lowerdir=${places.join(':')},upperdir=/s/3/fs,workdir=/s/3/work`)
    expect(fake.callsOf('umount2').map(call => call[0])).toEqual(places)
    expect(() => share.addRootfs('c2', [{ ...layers, options: ['lowerdir=/s/1/fs', 'uidmap=0:1', 'gidmap=0:1:1'] }])).toThrow('container:host:size')
  })

  it('prepares a mount out of the guest\'s sight and moves it in when its attributes are set', () => {
    const share = Share.open(state)
    fake.calls = []
    expect(share.addRootfs('c1', [overlay])).toBe('/run/kata-ts/share/c1/rootfs')
    const steps = fake.calls.filter(call => ['mount', 'mountSetattr', 'moveMount'].includes(call.name))
    expect(steps.map(step => [step.name, step.args[1]])).toEqual([
      ['mount', `${state}/share.host/c1/rootfs`], ['mountSetattr', `${state}/share.host/c1/rootfs`], ['moveMount', `${state}/share.host/c1/rootfs`],
    ])
    expect(attributes(`${state}/share.host/c1/rootfs`)).toMatchObject([{ set: MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV }])
    expect(steps.at(-1)?.args[3]).toBe(`${state}/share/c1/rootfs`)
  })

  it.each([
    ['alone', false, [[AT_RECURSIVE, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV], [0, MOUNT_ATTR_RDONLY]]],
    ['with everything below it', true, [[AT_RECURSIVE, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_RDONLY], [0, MOUNT_ATTR_RDONLY]]],
  ])('makes a read-only bind read-only %s, before the guest can see it', (_how, readonlyBelow, expected) => {
    const share = Share.open(state)
    fake.calls = []
    expect(share.addBind('c1', '/volume/file', { readonly: true, readonlyBelow, recursive: true })).toBe('/run/kata-ts/share/.binds/0')
    const set = fake.callsOf('mountSetattr').filter(call => call[1] === `${state}/share.host/.binds/0`)
    expect(set).toEqual(expected.map(([flags, attributes]) => [expect.anything(), expect.anything(), flags, expect.objectContaining({ set: attributes })]))
    expect(fake.names().lastIndexOf('mountSetattr')).toBeLessThan(fake.names().lastIndexOf('moveMount'))
  })

  it('numbers binds, and holds no descriptor afterwards', () => {
    const share = Share.open(state)
    share.addBind('c1', '/volume', { readonly: false, recursive: false })
    expect(share.addBind('c1', '/volume/file', { readonly: false, recursive: false })).toMatch(/binds\/1$/)
    expect(fake.nodes.get(`${state}/share.host/.binds/0`)?.kind).toBe('directory')
    expect(fake.nodes.get(`${state}/share.host/.binds/1`)?.kind).toBe('file')
    expect(fake.held().fds).toEqual([])
  })

  it('refuses a source on a kernel file system, whatever its name', () => {
    const share = Share.open(state)
    fake.onCall('statfs', () => ({ type: 0x9fa0 }))
    expect(() => share.addBind('c1', '/volume', { readonly: true, recursive: false })).toThrow("would show the host's kernel")
    expect(fake.held().fds).toEqual([])
  })

  it('refuses a recursive bind when a kernel file system cannot be taken out of it', () => {
    const share = Share.open(state)
    fake.put('/proc/self/mountinfo', `90 80 0:5 / ${state}/share.host/.binds/0/proc rw - proc proc rw\n`)
    expect(() => share.addBind('c1', '/volume', { readonly: true, recursive: true })).toThrow("would show the host's proc (/proc)")
    expect(fake.callsOf('umount2').map(call => call[0])).toEqual([`${state}/share.host/.binds/0/proc`, `${state}/share.host/.binds/0`])
    expect(fake.names()).toContain('umount2')
  })

  it.each([
    ['openat', 'addBind'], ['openTree', 'addBind'], ['mkdirat', 'addBind'], ['mountSetattr', 'addBind'], ['moveMount', 'addBind'],
    ['mount', 'addRootfs'], ['mkdirat', 'addRootfs'], ['mountSetattr', 'addRootfs'], ['moveMount', 'addRootfs'],
  ])('when %s fails in %s, no descriptor is left and close takes the rest', (call, method) => {
    const share = Share.open(state)
    fake.fail(call, E.ENOSPC)
    const work = () => (method === 'addBind' ? share.addBind('c1', '/volume', { readonly: true, recursive: false }) : share.addRootfs('c1', [overlay]))
    expect(work).toThrow('ENOSPC')
    expect(fake.held().fds).toEqual([])
    share.close()
    expect([...fake.nodes.keys()].filter(path => path.startsWith(`${state}/`))).toEqual([])
    expect(fake.held().mounts).toEqual([])
  })

  it.each(['mount', 'mountSetattr', 'mkdirat'].flatMap(call => [[call, 0], [call, 1]] as const))('when %s fails in open after %i, nothing is left', (call, after) => {
    fake.fail(call, E.EPERM, after)
    expect(() => Share.open(state)).toThrow('EPERM')
    expect(fake.held().mounts).toEqual([])
    expect([...fake.nodes.keys()].filter(path => path.startsWith(`${state}/`))).toEqual([])
  })

  it('refuses a rootfs without mounts: never the host\'s own files instead (CVE-2026-24054)', () => {
    expect(() => Share.open(state).addRootfs('c1', [])).toThrow('container c1 has no rootfs mounts')
  })

  it('reads every descriptor before it makes the first mount', () => {
    const share = Share.open(state)
    fake.calls = []
    expect(() => share.addRootfs('c1', [overlay, { type: 'proc', source: 'proc', options: [] }])).toThrow('type "proc"')
    expect(fake.callsOf('mount')).toEqual([])
  })

  it.each(['', '.', '..', '../x', 'a/b', '/a', '.hidden', 'a\0b'])('refuses the container id %j', id => {
    expect(() => Share.open(state).addRootfs(id, [overlay])).toThrow('no container id')
  })
})

describe('kernel file systems', () => {
  const mountinfo = [
    '22 1 254:0 / / rw - ext4 /dev/vda rw',
    '30 22 0:20 / /share/a rw,relatime shared:1 master:2 - tmpfs t rw',
    '31 30 0:21 / /share/a/with\\040space rw shared:3 - sysfs s rw',
    '32 30 0:22 / /share/ab rw - proc p rw',
    '33 31 0:23 / /share/a/x/cgroup rw - cgroup2 c rw',
  ].join('\n')

  it('are found below a directory, and only there', () => {
    expect(kernelMountsBelow(mountinfo, '/share/a')).toEqual([
      { point: '/share/a/with space', type: 'sysfs', device: '0:21', root: '/' }, { point: '/share/a/x/cgroup', type: 'cgroup2', device: '0:23', root: '/' },
    ])
  })

  it('are known by statfs type, also where it comes as a negative number', () => {
    expect([isKernelFileSystem(0x9fa0), isKernelFileSystem(0xf97cff8c | 0), isKernelFileSystem(0xef53)]).toEqual([true, true, false])
  })
})
