import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { O_DIRECTORY, O_PATH } from '../../native/ts/constants/fcntl.ts'
import { fake } from '../../native/ts/fake/sys.ts'
import { SharedSources } from './shared-sources.ts'

const source = '/run/kata-ts/share/.binds/0'
const spec = { ociVersion: '1.1.0', mounts: [{ destination: '/data', type: 'bind', source }, { destination: '/proc', type: 'proc', source: 'proc' }] }

afterEach(() => void vi.useRealTimers())
beforeEach(() => {
  vi.useFakeTimers()
  fake.reset()
  fake.makeParents(`${source}/x`)
})

it('mounts a source of the share before any container binds it, and unmounts it after the last', () => {
  const sources = new SharedSources()
  sources.take('c1', spec)
  expect(fake.callsOf('openat').map(call => call.slice(1, 3))).toEqual([[source, O_PATH | O_DIRECTORY]])
  sources.take('c2', spec)
  sources.release('c1')
  expect(fake.names()).not.toContain('umount2')
  sources.release('c2')
  sources.release('c2')
  expect(fake.callsOf('umount2').map(call => call[0])).toEqual([source])
  expect(fake.held().fds).toEqual([])
})

it('leaves a source that is not there to the mount, which tells', () => {
  const sources = new SharedSources()
  sources.take('c1', { ociVersion: '1.1.0', mounts: [{ destination: '/data', source: '/run/kata-ts/share/.binds/7' }] })
  sources.release('c1')
  expect(fake.names()).not.toContain('umount2')
})

it('looks for what the host takes away until it is gone, so that kernel and daemon forget it', async () => {
  const sources = new SharedSources()
  sources.take('c1', { ...spec, root: { path: '/run/kata-ts/share/c1/rootfs' } })
  sources.release('c1')
  fake.calls = []
  const looked = () => fake.callsOf('openat').map(call => call[1])
  await vi.advanceTimersByTimeAsync(1_600)
  expect(looked().sort()).toEqual([source, '/run/kata-ts/share/c1/rootfs'])
  fake.nodes.delete(source)
  await vi.advanceTimersByTimeAsync(60_000)
  expect(looked()).toHaveLength(3)
  expect(fake.held().fds).toEqual([])
})
