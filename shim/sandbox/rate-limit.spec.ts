import { expect, it } from 'vitest'
import { RateLimit } from './rate-limit.ts'

it('lets a burst pass, then so much a second, and counts what it held back', () => {
  const limit = new RateLimit(2, 4)
  expect([0, 0, 0, 0, 0, 100].map(nowMs => limit.allows(1, nowMs))).toEqual([true, true, true, true, false, false])
  expect(limit.takeHeld()).toBe(2)
  expect(limit.takeHeld()).toBe(0)
  expect([600, 600, 1100].map(nowMs => limit.allows(1, nowMs))).toEqual([true, false, true])
})

it('counts by size, and never saves up more than a burst', () => {
  const limit = new RateLimit(10, 100)
  expect(limit.allows(101, 0)).toBe(false)
  expect(limit.allows(100, 0)).toBe(true)
  expect(limit.allows(100, 1_000_000)).toBe(true)
  expect(limit.allows(10, 1_000_500)).toBe(false)
  expect(limit.allows(10, 1_001_000)).toBe(true)
})
