import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { fake } from '../native/ts/fake/sys.ts'
import { Log } from './log.ts'
import { QuietGc } from './quiet-gc.ts'

beforeEach(() => {
  fake.reset()
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
})
afterEach(() => void vi.useRealTimers())

it('garbage is collected once, when the agent has been quiet for a second', () => {
  const { touch } = new QuietGc(new Log())
  for (let burst = 0; burst < 10; burst++) {
    touch()
    vi.advanceTimersByTime(999)
  }
  expect(fake.callsOf('gc')).toHaveLength(0)
  vi.advanceTimersByTime(1)
  expect(fake.callsOf('gc')).toHaveLength(1)
  vi.advanceTimersByTime(10_000)
  expect(fake.callsOf('gc')).toHaveLength(1)
})

it('what is left is told at level debug', () => {
  const log = new Log()
  const lines: string[] = []
  log.setSink(line => { lines.push(`${line.message} ${line.fields}`); return true })
  fake.put('/proc/self/smaps_rollup', 'header\nPss:                2900 kB\nShared_Clean: 1 kB\n')
  new QuietGc(log).touch()
  vi.advanceTimersByTime(1_000)
  expect(lines).toEqual([])
  log.setLevel('debug')
  new QuietGc(log).touch()
  vi.advanceTimersByTime(1_000)
  expect(lines).toEqual(['agent memory {"pssKib":2900}'])
})
