import { describe, expect, it } from 'vitest'
import { durationMs } from './duration.ts'

describe('a duration', () => {
  it.each([['5s', 5000], ['500ms', 500], ['1m30s', 90_000], ['1.5h', 5_400_000], ['100us', 0.1]])('%s is %d ms', (text, ms) => {
    expect(durationMs(text)).toBeCloseTo(ms)
  })

  it.each(['', '5', 's', '-5s', '5 s', '5s!'])('%j is refused', text => {
    expect(() => durationMs(text)).toThrow(/invalid duration/)
  })
})
