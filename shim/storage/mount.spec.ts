import { beforeEach, describe, expect, it } from 'vitest'
import { MS_BIND, MS_NODEV, MS_NOSUID, MS_RDONLY, MS_REC } from '../../native/ts/constants/mount.ts'
import { E } from '../../native/ts/errno.ts'
import { fake } from '../../native/ts/fake/sys.ts'
import { mountAt, parseMount, relativeLayers, type MountDescriptor } from './mount.ts'

const overlay = (lowerdir: string): MountDescriptor => ({ type: 'overlay', source: 'overlay', options: ['index=off', 'workdir=/s/2/work', 'upperdir=/s/2/fs', `lowerdir=${lowerdir}`] })

describe('parseMount', () => {
  it.each([
    [{ type: 'bind', source: '/a', options: ['rbind', 'ro'] }, MS_BIND | MS_REC | MS_RDONLY, ''],
    [{ type: '', source: '/a', options: ['rbind'] }, MS_BIND | MS_REC, ''],
    [{ type: 'bind', source: '/a', options: [] }, MS_BIND, ''],
    [{ type: 'ext4', source: '/dev/mapper/x', options: ['ro', 'rw', 'nosuid', 'nodev', 'noload', 'data=ordered'] }, MS_NOSUID | MS_NODEV, 'noload,data=ordered'],
    [{ type: 'bind', source: '/a', options: ['rbind', 'rprivate', 'rslave'] }, MS_BIND | MS_REC, ''],
    [overlay('/s/1/fs'), 0, 'index=off,workdir=/s/2/work,upperdir=/s/2/fs,lowerdir=/s/1/fs'],
  ])('reads %j', (mount, flags, data) => expect(parseMount(mount)).toMatchObject({ flags, data }))

  it.each([
    [{ type: 'mkdir/overlay', source: 'overlay', options: [] }, 'rootfs mount of type "mkdir/overlay" is not supported; use a snapshotter whose mounts are one of bind, overlay'],
    [{ type: 'proc', source: 'proc', options: [] }, 'type "proc" is not supported'],
    [{ type: 'erofs', source: '/layer.erofs', options: ['loop'] }, 'erofs mount of /layer.erofs needs a loop device'],
    [{ type: 'bind', source: 'relative', options: [] }, 'the source is no absolute path'],
    [{ type: 'bind', source: '/a', target: '/etc', options: [] }, 'a target of its own ("/etc")'],
    [{ type: 'overlay', source: 'overlay', options: ['X-containerd.mkdir.path=/x'] }, 'mount option "X-containerd.mkdir.path=/x" is not supported'],
  ])('refuses %j', (mount, message) => expect(() => parseMount(mount)).toThrow(message))
})

describe('mountAt', () => {
  beforeEach(() => {
    fake.reset()
    fake.makeParents('/x')
    fake.nodes.set('/.', { kind: 'directory', mode: 0o755 })
  })
  const long = Array.from({ length: 100 }, (_, at) => `/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots/${at}/fs`).join(':')

  it('is one mount(2) where the options fit', () => {
    mountAt(parseMount(overlay('/s/1/fs')), '/t')
    expect(fake.callsOf('mount')).toEqual([['overlay', '/t', 'overlay', 0, 'index=off,workdir=/s/2/work,upperdir=/s/2/fs,lowerdir=/s/1/fs']])
    expect(fake.callsOf('chdir')).toEqual([])
  })

  it('binds without a type and without the flags that a bind ignores', () => {
    mountAt(parseMount({ type: 'bind', source: '/a', options: ['rbind', 'ro', 'nosuid'] }), '/t')
    expect(fake.callsOf('mount')).toEqual([['/a', '/t', null, MS_BIND | MS_REC, null]])
  })

  it('names many layers below their common directory, which is the working directory for that call alone', () => {
    mountAt(parseMount(overlay(long)), '/t')
    expect(fake.callsOf('chdir')).toEqual([['/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots']])
    expect(String(fake.callsOf('mount')[0]?.[4])).toMatch(/,lowerdir=0\/fs:1\/fs:2\/fs:/)
    expect(fake.names().filter(name => ['chdir', 'mount', 'fchdir'].includes(name))).toEqual(['chdir', 'mount', 'fchdir'])
    expect(fake.held().fds).toEqual([])
  })

  it('goes back when the mount fails', () => {
    fake.fail('mount', E.EINVAL)
    expect(() => mountAt(parseMount(overlay(long)), '/t')).toThrow('mount overlay overlay on /t: EINVAL')
    expect(fake.callsOf('fchdir')).toHaveLength(1)
    expect(fake.held().fds).toEqual([])
  })

  it('says so when even that does not fit', () => {
    const tooMany = Array.from({ length: 900 }, (_, at) => `/snapshots/${at}/fs`).join(':')
    expect(() => mountAt(parseMount(overlay(tooMany)), '/t')).toThrow('do not fit into a page, 900 layers; use an image with fewer layers')
    expect(() => relativeLayers(parseMount(overlay(`/a/${'x'.repeat(4000)}:/b/fs`)))).toThrow('do not fit into a page')
  })
})
