import { describe, expect, it } from 'vitest'
import { isIdentifier, parseFlags } from './flags.ts'

describe('parseFlags', () => {
  it("reads the command line of containerd's start", () => {
    const flags = parseFlags(['-namespace', 'default', '-address', '/run/c.sock', '-publish-binary', '/usr/bin/containerd', '-id', 'c1', '-debug', 'start'])
    expect(flags).toMatchObject({ action: 'start', namespace: 'default', address: '/run/c.sock', publishBinary: '/usr/bin/containerd', id: 'c1', debug: true })
  })

  it('takes two dashes, = and flags behind the action', () => {
    expect(parseFlags(['--namespace=k8s.io', 'delete', '-id=a', '-bundle', '/b'])).toMatchObject({ action: 'delete', namespace: 'k8s.io', id: 'a', bundle: '/b' })
  })

  it.each([[['-v'], 'version'], [['--version'], 'version'], [['-info'], 'info'], [['-namespace', 'x', '-info'], 'info']])('%j asks for %s', (args, action) => {
    expect(parseFlags(args).action).toBe(action)
  })

  it.each([
    [[], 'no action given'],
    [['run'], 'unknown action "run"'],
    [['-id'], 'flag -id needs a value'],
    [['-fast', 'start'], 'unknown flag -fast'],
    [['-namespace', 'n', 'start'], 'flag -id is missing'],
    [['-namespace', 'n', '-id', '../../etc', 'start'], 'is not an identifier'],
    [['-namespace', 'n', '-id', 'a', 'start', 'more'], 'unexpected argument "more"'],
    [['-debug=perhaps', 'start'], 'takes true or false'],
  ])('%j is refused', (args, text) => {
    expect(() => parseFlags(args)).toThrow(text)
  })
})

describe('isIdentifier', () => {
  it.each([['a', true], ['a-b_c.d', true], ['x'.repeat(76), true], ['x'.repeat(77), false], ['', false], ['.', false], ['a..b', false], ['a/b', false], ['-a', false], ['a\n', false]])(
    '%j → %s', (id, good) => expect(isIdentifier(id)).toBe(good))
})
