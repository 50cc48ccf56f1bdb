import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { fake } from '../native/ts/fake/sys.ts'
import { QuietGc } from './quiet-gc.ts'

beforeEach(() => {
  fake.reset()
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
})
afterEach(() => void vi.useRealTimers())

it('garbage is collected once, when the agent has been quiet for a second', () => {
  const { touch } = new QuietGc()
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
