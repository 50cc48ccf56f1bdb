import { describe, expect, it } from 'vitest'
import { configFrom } from '../config/config.ts'
import { virtiofsdArguments } from './virtiofsd.ts'

const { share } = configFrom([])
const options = (given: typeof share) => virtiofsdArguments({ share: given, source: '/run/share' }).join(' ')

describe('virtiofsdArguments', () => {
  it('serves the listener it inherits and the share, in a sandbox of its own', () => {
    expect(options(share)).toMatch(/^--fd=3 -o source=\/run\/share /)
    expect(options(share)).toContain('-o sandbox=namespace')
    expect(options(share)).toContain('-o announce_submounts')
  })

  it('lets the guest keep a program\'s pages over open(2), and notice within a second what the host changed', () => {
    expect(options(share)).toContain('-o cache=always -o timeout=1 ')
  })

  it.each([['none', '-o cache=none '], ['always', '-o cache=always ']] as const)('keeps %s literally', (cache, expected) => {
    expect(options({ ...share, cache })).toContain(expected)
    expect(options({ ...share, cache })).not.toContain('timeout')
  })

  it('has extended attributes where they are not switched off: file capabilities are some', () => {
    expect(options(share)).toContain('-o xattr')
    expect(options({ ...share, xattr: false })).toContain('-o no_xattr')
  })
})
