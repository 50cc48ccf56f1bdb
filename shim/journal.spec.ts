import { beforeEach, describe, expect, it } from 'vitest'
import { E } from '../native/ts/errno.ts'
import { fake } from '../native/ts/fake/sys.ts'
import { makeDirectories } from '../native/ts/file.ts'
import { Journal, readJournal, replay, type Resource } from './journal.ts'

const state = '/run/kata-ts/default/s1'
const socket: Resource = { kind: 'socket', path: '/run/containerd/s/abc' }
const cgroup: Resource = { kind: 'cgroup', path: '/sys/fs/cgroup/kata-ts/s1' }

describe('journal', () => {
  beforeEach(() => {
    fake.reset()
    makeDirectories(state)
  })

  it('gives back what was recorded, in order', () => {
    const journal = new Journal(state)
    journal.record(socket)
    journal.record(cgroup)
    expect(readJournal(state)).toEqual([socket, cgroup])
  })

  it('is empty where there is none', () => expect(readJournal('/run/kata-ts/default/nobody')).toEqual([]))

  it('skips a line that a dying writer left torn, and the next writer starts a line of its own', () => {
    new Journal(state).record(socket)
    const torn = JSON.stringify(cgroup).slice(0, 20)
    fake.put(`${state}/journal`, `${fake.text(`${state}/journal`) ?? ''}\n${torn}`)
    expect(readJournal(state)).toEqual([socket])
    fake.put(`${state}/journal`, `${fake.text(`${state}/journal`) ?? ''}\n${JSON.stringify(cgroup)}\n`)
    expect(readJournal(state)).toEqual([socket, cgroup])
  })

  it.each([
    ['a path with ..', { kind: 'tree', path: '/run/kata-ts/../../etc' }],
    ['a top-level directory', { kind: 'tree', path: '/run' }],
    ['a relative path', { kind: 'socket', path: 'a/b/c/d' }],
    ['an unknown kind', { kind: 'disk', path: '/run/kata-ts/default/s1' }],
    ['pid 1', { kind: 'process', pid: 1, startTicks: 1 }],
  ])('does not believe a line with %s', (_what, line) => {
    fake.put(`${state}/journal`, JSON.stringify(line))
    expect(readJournal(state)).toEqual([])
  })

  it('removes everything, last made first, and itself', async () => {
    fake.put(socket.path, '')
    makeDirectories(cgroup.path)
    const journal = new Journal(state)
    journal.record(socket)
    journal.record(cgroup)
    fake.calls = []
    await replay(state)
    expect(fake.callsOf('unlinkat').map(call => call[1])).toEqual([cgroup.path, socket.path, `${state}/journal`, state])
  })

  it('can be replayed again, also when half of it is gone already', async () => {
    new Journal(state).record(socket)
    await replay(state)
    await replay(state)
    expect(fake.nodes.has(state)).toBe(false)
  })

  it('waits while a cgroup is busy', async () => {
    makeDirectories(cgroup.path)
    new Journal(state).record(cgroup)
    fake.fail('unlinkat', E.EBUSY)
    await replay(state)
    expect(fake.nodes.has(cgroup.path)).toBe(false)
  })

  it('goes on after a failure, tells all, and keeps the journal for the next try', async () => {
    fake.put(socket.path, '')
    makeDirectories(cgroup.path)
    const journal = new Journal(state)
    journal.record(socket)
    journal.record(cgroup)
    fake.fail('unlinkat', E.EPERM)
    await expect(replay(state)).rejects.toThrow('1 resources')
    expect([fake.nodes.has(socket.path), fake.nodes.has(cgroup.path)]).toEqual([false, true])
    await replay(state)
    expect([...fake.nodes.keys()].filter(path => path.startsWith(state) || path === cgroup.path)).toEqual([])
  })

  it('kills a process that still runs, and never one that has its pid by chance', async () => {
    const stat = (ticks: number) => `77 (qemu (x) y) S 1 ${'0 '.repeat(17)}${ticks} 0 0`
    fake.put('/proc/77/stat', stat(500))
    new Journal(state).recordProcess(77)
    expect(readJournal(state)).toEqual([{ kind: 'process', pid: 77, startTicks: 500 }])
    fake.onCall('kill', () => { fake.nodes.delete('/proc/77/stat'); return 0 })
    await replay(state)
    expect(fake.callsOf('kill')).toEqual([[77, 9]])

    makeDirectories(state)
    fake.put(`${state}/journal`, JSON.stringify({ kind: 'process', pid: 77, startTicks: 500 }))
    fake.put('/proc/77/stat', stat(900))
    fake.calls = []
    await replay(state)
    expect(fake.callsOf('kill')).toEqual([])
  })
})
