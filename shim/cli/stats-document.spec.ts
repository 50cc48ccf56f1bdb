import { describe, expect, it } from 'vitest'
import { ranges } from './stats-document.ts'

describe('a list of CPUs', () => {
  it.each([['0-2,4', [0, 1, 2, 4]], ['7', [7]], ['', []], [undefined, []]])('%j is %j', (text, numbers) => {
    expect(ranges(text)).toEqual(numbers)
  })
})
