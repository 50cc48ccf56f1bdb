import { beforeEach, describe, expect, it } from 'vitest'
import { fake } from '../../native/ts/fake/sys.ts'
import { type Reaped, Reaper } from './reaper.ts'

/** Children that wait to be reaped, in the order of their death. */
let dead: { pid: number; code: number; status: number; uid: number }[]

describe('the reaper', () => {
  let reaper: Reaper
  const statuses: [string, number][] = []
  const note = (who: string) => (exit: Reaped): void => void statuses.push([who, exit.status])

  beforeEach(() => {
    fake.reset()
    statuses.length = 0
    dead = []
    fake.onCall('waitid', () => dead.shift() ?? null)
    reaper = new Reaper()
  })

  it('tells each exit to who claimed it, and reaps orphans too', () => {
    reaper.claim(10, note('ten'))
    reaper.claim(11, note('eleven'))
    dead = [{ pid: 11, code: 2, status: 9, uid: 0 }, { pid: 77, code: 1, status: 0, uid: 0 }, { pid: 10, code: 1, status: 3, uid: 0 }]
    reaper.reap()
    expect(statuses).toEqual([['eleven', 137], ['ten', 3]])
    expect(dead).toEqual([])
  })

  it('keeps the exit of a process that ended before its maker knew it', async () => {
    await reaper.birth(async () => {
      dead = [{ pid: 12, code: 1, status: 5, uid: 0 }]
      reaper.reap()
      reaper.claim(12, note('twelve'))
    })
    expect(statuses).toEqual([['twelve', 5]])
  })

  it('forgets unclaimed exits when the birth is over: a reused pid starts anew', async () => {
    await reaper.birth(async () => {
      dead = [{ pid: 12, code: 1, status: 5, uid: 0 }]
      reaper.reap()
    })
    await reaper.birth(async () => reaper.claim(12, note('the later twelve')))
    expect(statuses).toEqual([])
    dead = [{ pid: 12, code: 1, status: 0, uid: 0 }]
    reaper.reap()
    expect(statuses).toEqual([['the later twelve', 0]])
  })

  it('tells an exit once', () => {
    reaper.claim(10, note('ten'))
    dead = [{ pid: 10, code: 1, status: 0, uid: 0 }]
    reaper.reap()
    dead = [{ pid: 10, code: 1, status: 1, uid: 0 }]
    reaper.reap()
    expect(statuses).toEqual([['ten', 0]])
  })
})
