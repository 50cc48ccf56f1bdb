import { describe, expect, it } from 'vitest'
import { editDistance, nearest } from './nearest.ts'

describe('nearest', () => {
  it.each([['memory', 'memory_mib', 4], ['', 'abc', 3], ['kernel', 'kernel', 0], ['machien', 'machine', 2]])(
    'counts the edits between %j and %j', (a, b, edits) => expect(editDistance(a, b)).toBe(edits))

  it.each([['memory_mb', 'memory_mib'], ['vcpu', 'vcpus'], ['kernal', 'kernel'], ['xyz', undefined], ['completely_else', undefined]])(
    'takes %j for %j', (word, meant) => expect(nearest(word, ['memory_mib', 'vcpus', 'kernel', 'machine'])).toBe(meant))
})
