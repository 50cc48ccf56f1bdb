import { beforeEach, describe, expect, it } from 'vitest'
import { fake } from '../../native/ts/fake/sys.ts'
import { ContainerProcess } from './process.ts'

describe('a process that is found again', () => {
  beforeEach(() => {
    fake.reset()
    fake.put('/proc/50/stat', `50 (a) name) S ${'0 '.repeat(18)}777 0\n`)
    fake.onCall('statx', () => ({ ino: 9 }))
  })

  it.each<[string, string, number | undefined]>([['pid and start time', '777', undefined], ['pid, start time and inode', '777', 9]])('by %s is alive', (_what, startTime, inode) => {
    using found = ContainerProcess.find(50, startTime, inode)
    expect(found.alive()).toBe(true)
    expect(found.pidfd.open).toBe(true)
  })

  it.each<[string, string, number | undefined]>([['started at another time', '776', 9], ['was born in the same tick', '777', 8]])('is not the stranger with its pid that %s', (_what, startTime, inode) => {
    const found = ContainerProcess.find(50, startTime, inode)
    expect(found.alive()).toBe(false)
    expect(found.kill(9)).toBe(false)
    expect(fake.held().fds).toEqual([])
  })

  it('is not alive when its pidfd says that it is reaped, whoever has the pid now', () => {
    using found = ContainerProcess.find(50, '777', 9)
    fake.onCall('pidfdSendSignal', () => -3)
    expect(found.alive()).toBe(false)
  })
})
