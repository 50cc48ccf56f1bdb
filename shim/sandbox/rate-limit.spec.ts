import { expect, it } from 'vitest'
import { RateLimit } from './rate-limit.ts'

it('lets so many a second pass, counts the others, and starts again with the next second', () => {
  const limit = new RateLimit(2)
  expect([0, 1, 2, 999].map(nowMs => limit.allows(nowMs))).toEqual([true, true, false, false])
  expect(limit.takeHeld()).toBe(2)
  expect(limit.takeHeld()).toBe(0)
  expect([1000, 1001, 1002].map(nowMs => limit.allows(nowMs))).toEqual([true, true, false])
})
