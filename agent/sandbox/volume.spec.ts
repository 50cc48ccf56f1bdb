import { beforeEach, describe, expect, it } from 'vitest'
import { E } from '../../native/ts/errno.ts'
import { fake } from '../../native/ts/fake/sys.ts'
import { Payload, SetVolumeRequest, type VolumeEntry } from '../../protocol/gen/agent.ts'
import { message } from '../../protocol/message.ts'
import { removeVolume, setVolume } from './volume.ts'

const top = '/run/kata-ts/volumes/0'
const entry = (path: string, text: string, mode = 0o644): VolumeEntry => ({ path, isDirectory: false, mode, uid: 5, gid: 6, data: new TextEncoder().encode(text) })
const payload = (version: string, ...entries: VolumeEntry[]): Payload =>
  message(Payload, { version, entries, links: Object.fromEntries(entries.map(({ path }) => [path, `..data/${path}`])) })
const request = (fields: Partial<SetVolumeRequest>): SetVolumeRequest => message(SetVolumeRequest, { name: '0', sizeBytes: 1048576n, mountFlags: 6, ...fields })

describe('setVolume', () => {
  beforeEach(() => {
    fake.reset()
    fake.makeParents(`${top}/x`)
    fake.nodes.delete(top)
  })

  it('makes a tmpfs with the size, flags and owner that were asked for, once', () => {
    const owned = request({ top: { path: '', isDirectory: true, mode: 0o2777, uid: 3, gid: 4, data: new Uint8Array() } })
    setVolume(owned)
    setVolume(owned)
    expect(fake.mounts).toEqual([{ source: 'kata-ts', target: top, fstype: 'tmpfs', flags: 6, data: 'mode=02777,uid=3,gid=4,size=1048576' }])
    expect(fake.held().fds).toEqual([])
  })

  it('makes the parts that containers have', () => {
    setVolume(request({ directories: ['deep/er'] }))
    setVolume(request({ directories: ['deep/er', 'other'] }))
    expect(['deep', 'deep/er', 'other'].map(path => fake.nodes.get(`${top}/${path}`)?.kind)).toEqual(['directory', 'directory', 'directory'])
  })

  it('writes a version whole before ..data leads to it, then links, then removes what is gone', () => {
    setVolume(request({ payload: payload('..v1', entry('a', 'one'), entry('old', 'x')) }))
    fake.calls = []
    setVolume(request({ payload: payload('..v2', entry('a', 'two', 0o400), entry('new', 'y')) }))
    expect(fake.text(`${top}/..v2/a`)).toBe('two')
    expect(fake.nodes.get(`${top}/..data`)).toMatchObject({ target: '..v2' })
    expect(fake.nodes.get(`${top}/new`)).toMatchObject({ target: '..data/new' })
    expect([...fake.nodes.keys()].filter(path => path.startsWith(`${top}/`) && /v1|old|tmp/.test(path))).toEqual([])
    const names = fake.names()
    expect(names.lastIndexOf('write')).toBeLessThan(names.indexOf('renameat2'))
    expect(fake.held().fds).toEqual([])
  })

  it('writes nothing for the version that it has, and does what was left undone', () => {
    setVolume(request({ payload: payload('..v1', entry('a', 'one')) }))
    fake.calls = []
    setVolume(request({ payload: { ...payload('..v1', entry('a', 'one')), links: { a: '..data/a', late: '..data/late' } } }))
    expect(fake.names()).not.toContain('write')
    expect(fake.nodes.get(`${top}/late`)).toMatchObject({ target: '..data/late' })
  })

  it('leaves nothing when it cannot be made', () => {
    fake.fail('openat2', E.EIO)
    expect(() => setVolume(request({ directories: ['a'] }))).toThrow('EIO')
    expect(fake.mounts).toEqual([])
    expect(fake.nodes.has(top)).toBe(false)
    expect(fake.held().fds).toEqual([])
  })

  it.each([
    ['a name that is a path', { name: '../x' }], ['flags that are not its own', { mountFlags: 32 }], ['a directory elsewhere', { directories: ['../x'] }],
    ['a version that is a path', { payload: payload('../x') }], ['a file elsewhere', { payload: payload('..v1', entry('../../x', '')) }],
    ['a link that is a path', { payload: { ...payload('..v1'), links: { 'a/b': 'c' } } }],
  ])('refuses %s', (_what, fields) => {
    expect(() => setVolume(request(fields))).toThrow()
    expect(fake.mounts).toEqual([])
  })

  it('is gone after removeVolume, however often', () => {
    setVolume(request({}))
    removeVolume({ name: '0' })
    fake.onCall('umount2', () => -E.EINVAL)
    removeVolume({ name: '0' })
    expect(fake.nodes.has(top)).toBe(false)
  })
})
