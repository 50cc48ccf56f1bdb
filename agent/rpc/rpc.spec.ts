import { describe, expect, it } from 'vitest'
import { countCpus, memoryTotalKib } from './sandbox.ts'
import { statsResponse } from './stats.ts'

describe('figures of the guest', () => {
  it.each([['0\n', 1], ['0-3\n', 4], ['0-1,4,6-7\n', 5], ['\n', 0]])('the CPU list %j has %i', (list, count) => {
    expect(countCpus(list)).toBe(count)
  })

  it('reads the memory’s size', () => {
    expect(memoryTotalKib('MemTotal:         108112 kB\nMemFree: 1 kB\n')).toBe(108112)
    expect(memoryTotalKib('')).toBe(0)
  })
})

it('statistics are whole and not negative on the wire, whatever the kernel files held', () => {
  const response = statsResponse({
    cpu: { usageUsec: 1.5, userUsec: Number.NaN, systemUsec: -1, periods: 2, throttledPeriods: 3, throttledUsec: 4 },
    memory: { usageBytes: 2 ** 53, maxUsageBytes: 0, limitBytes: Infinity, swapUsageBytes: 0, swapLimitBytes: 0, stat: { anon: 7 }, events: {} },
    pids: { current: 1, limit: 0 }, io: [], hugetlb: [],
  })
  expect(response.cpu).toEqual({ usageUsec: 1n, userUsec: 0n, systemUsec: 0n, nrPeriods: 2n, nrThrottled: 3n, throttledUsec: 4n })
  expect(response.memory).toMatchObject({ usageBytes: 2n ** 53n, limitBytes: 0n, stat: { anon: 7n } })
})
