import { describe, expect, it } from 'vitest'
import { configFrom } from '../config/config.ts'
import { virtiofsdArguments } from './virtiofsd.ts'

const defaults = configFrom([]).share
const inQemu = { ...defaults, virtiofsd: '/usr/lib/qemu/virtiofsd' }
const others = { ...defaults, virtiofsd: '/usr/libexec/virtiofsd' }
const given = (share: typeof defaults) => `${virtiofsdArguments({ share, source: '/run/share' }).join(' ')} `

describe('virtiofsdArguments', () => {
  it.each([
    [defaults, ['--fd=3 ', '--shared-dir=/run/share ', '--sandbox=namespace ', '--announce-submounts ', '--seccomp=kill ', '--xattr ']],
    [inQemu, ['--fd=3 ', '-o source=/run/share ', '-o sandbox=namespace ', '-o announce_submounts ', '-o xattr ']],
  ])('serves the listener it inherits and the share, in a sandbox of its own: $virtiofsd', (share, expected) => {
    for (const words of expected) expect(given(share)).toContain(words)
  })

  it.each([
    ['auto', defaults, '--cache=always ', ''], ['auto', others, '--cache=auto ', ''], ['auto', inQemu, '-o cache=always ', '-o timeout=1 '],
    ['none', defaults, '--cache=never ', ''], ['none', inQemu, '-o cache=none ', ''],
    ['always', defaults, '--cache=always ', ''], ['always', inQemu, '-o cache=always ', ''],
  ] as const)('means by %s that the host\'s changes are seen within a second, or what it says', (cache, share, policy, timeout) => {
    const text = given({ ...share, cache })
    expect(text).toContain(policy)
    expect(text.includes('timeout')).toBe(timeout !== '')
    expect(text).toContain(timeout)
  })

  it('leaves extended attributes out where they are switched off', () => {
    expect(given({ ...defaults, xattr: false })).not.toContain('xattr')
    expect(given({ ...inQemu, xattr: false })).toContain('-o no_xattr ')
  })
})
