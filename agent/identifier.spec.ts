import { describe, expect, it } from 'vitest'
import { Code } from '../protocol/ttrpc/status.ts'
import { requireIdentifier } from './identifier.ts'

describe('ids', () => {
  it.each(['a', 'web-1', '0123456789abcdef', 'A_b.c', 'x'.repeat(128)])('may be %s', id => {
    expect(() => requireIdentifier('container', id)).not.toThrow()
  })

  it.each(['', '.', '..', 'a/b', '../a', 'a..b', '-a', 'a b', 'a\n', 'a\0', 'ü', 'x'.repeat(129)])('may not be %j', id => {
    expect(() => requireIdentifier('container', id)).toThrow(expect.objectContaining({ code: Code.InvalidArgument }))
  })
})
