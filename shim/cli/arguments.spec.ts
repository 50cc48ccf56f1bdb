import { describe, expect, it } from 'vitest'
import { parseOptions, words } from './arguments.ts'

const kinds = { bundle: 'text', detach: 'flag', env: 'list' } as const

describe('options', () => {
  it('come with one dash or two, their value behind = or in the next word', () => {
    for (const args of [['--bundle', '/b'], ['-bundle', '/b'], ['--bundle=/b'], ['-b', '/b'], ['-b=/b']]) {
      expect(parseOptions([...args, 'id'], kinds, { b: 'bundle' })).toEqual({ options: { bundle: '/b', detach: false, env: [] }, rest: ['id'] })
    }
  })

  it('may come several times where they are a list, and hold = themselves', () => {
    expect(parseOptions(['--env', 'A=1', '--env=B=2'], kinds).options.env).toEqual(['A=1', 'B=2'])
  })

  it('are flags that can be taken back', () => {
    expect(parseOptions(['--detach'], kinds).options.detach).toBe(true)
    expect(parseOptions(['--detach=false'], kinds).options.detach).toBe(false)
  })

  it('end at the first word for a command that has options of its own', () => {
    expect(parseOptions(['--detach', 'id', 'ls', '--bundle'], kinds, {}, true).rest).toEqual(['id', 'ls', '--bundle'])
    expect(parseOptions(['--', '--detach'], kinds)).toMatchObject({ options: { detach: false }, rest: ['--detach'] })
  })

  it('are errors when unknown or without their value', () => {
    expect(() => parseOptions(['--nonsense'], kinds)).toThrow(/flag provided but not defined: -nonsense/)
    expect(() => parseOptions(['--bundle'], kinds)).toThrow(/flag needs an argument: --bundle/)
  })

  it('leave exactly the words that are asked for', () => {
    expect(words(['a'], 'start', 'id')).toEqual({ id: 'a' })
    expect(() => words([], 'start', 'id')).toThrow(/"start" requires exactly 1 argument/)
    expect(() => words(['a', 'b'], 'start', 'id')).toThrow(/not 2 words/)
  })
})
