import { beforeEach, describe, expect, it } from 'vitest'
import { E } from './errno.ts'
import { fake } from './fake/sys.ts'
import { Fd } from './fd.ts'
import { makeUserNamespace, mapMountIds } from './user-namespace.ts'

const mappings = { uids: [{ containerID: 0, hostID: 100_000, size: 65_536 }], gids: [{ containerID: 0, hostID: 1, size: 1 }, { containerID: 1, hostID: 7, size: 2 }] }
const nothing = { fds: [], mounts: [], processes: [], watches: [] }

beforeEach(() => {
  fake.reset()
  fake.onCall('writeFile', (_dirfd: number, _path: string, text: string) => text.length)
  fake.onCall('openat', (_dirfd: number, path: string) => fake.install({ what: path, position: 0 }))
})

describe('makeUserNamespace', () => {
  it('writes both maps and leaves the namespace alone behind', () => {
    const namespace = makeUserNamespace(mappings)
    expect(fake.callsOf('writeFile').map(([, path, text]) => [String(path).replace(/\d+/, 'N'), text])).toEqual([
      ['/proc/N/uid_map', '0 100000 65536\n'], ['/proc/N/gid_map', '0 1 1\n1 7 2\n'],
    ])
    expect(fake.held()).toEqual({ ...nothing, fds: [expect.stringMatching(/^\/proc\/\d+\/ns\/user$/)] })
    namespace.close()
  })

  it.each(['pipe2', 'clone3', 'writeFile', 'openat'])('leaves nothing when %s fails', call => {
    fake.fail(call, E.EPERM)
    expect(() => makeUserNamespace(mappings)).toThrow('EPERM')
    expect(fake.held()).toEqual(nothing)
  })
})

describe('mapMountIds', () => {
  const fd = (what: string) => new Fd(fake.install({ what, position: 0 }), what)

  it('names the mount, and what to do about a file system without the ability', () => {
    fake.fail('mountSetattr', E.EINVAL)
    expect(() => mapMountIds(fd('/volume'), fd('namespace'), true)).toThrow('mount_setattr ids of /volume: EINVAL (invalid argument); its file system cannot map ids')
  })
})
