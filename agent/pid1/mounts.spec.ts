import { beforeEach, describe, expect, it } from 'vitest'
import { MS_MOVE, MS_RDONLY } from '../../native/ts/constants/mount.ts'
import { E } from '../../native/ts/errno.ts'
import { fake } from '../../native/ts/fake/sys.ts'
import { mountRestAndMove, mountRootAndProc } from './mounts.ts'

describe('early mounts', () => {
  beforeEach(() => {
    fake.reset()
    fake.nodes.set('/newroot', { kind: 'directory', mode: 0o755 })
    fake.onCall('mkdirat', () => 0)
  })

  it('need only the new root and /proc before the host is dialled', () => {
    mountRootAndProc()
    expect(fake.mounts.map(mount => mount.target)).toEqual(['/newroot', '/newroot/proc'])
  })

  it('leave every root read-only, the first one and its file system before the move', () => {
    mountRootAndProc()
    mountRestAndMove()
    const move = fake.mounts.findIndex(mount => mount.flags & MS_MOVE)
    const readonly = fake.mounts.map((mount, at) => ({ ...mount, at })).filter(mount => mount.flags & MS_RDONLY)
    expect(readonly.map(mount => mount.target)).toEqual(['/', '/', '/newroot'])
    expect(readonly.every(mount => mount.at < move)).toBe(true)
    expect(fake.names().slice(-2)).toEqual(['chroot', 'chdir'])
  })

  it('say which mount failed', () => {
    fake.onCall('mount', (_source: string, target: string) => (target.endsWith('/sys/fs/cgroup') ? -E.ENODEV : 0))
    mountRootAndProc()
    expect(mountRestAndMove).toThrow(/mount cgroup2 on \/sys\/fs\/cgroup: ENODEV/)
  })
})
