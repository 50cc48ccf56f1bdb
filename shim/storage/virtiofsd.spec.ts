import { describe, expect, it } from 'vitest'
import { configFrom } from '../config/config.ts'
import { virtiofsdArguments } from './virtiofsd.ts'

const defaults = configFrom([]).share
const crate = { ...defaults, virtiofsd: '/usr/libexec/virtiofsd' }
const given = (share: typeof defaults) => `${virtiofsdArguments({ share, source: '/run/share' }).join(' ')} `

describe('virtiofsdArguments', () => {
  it.each([
    [crate, ['--fd=3 ', '--shared-dir=/run/share ', '--sandbox=namespace ', '--announce-submounts ', '--seccomp=kill ', '--xattr ']],
    [defaults, ['--fd=3 ', '-o source=/run/share ', '-o sandbox=namespace ', '-o announce_submounts ', '-o xattr ']],
  ])('serves the listener it inherits and the share, in a sandbox of its own: $virtiofsd', (share, expected) => {
    for (const words of expected) expect(given(share)).toContain(words)
  })

  it.each([
    ['auto', defaults, '-o cache=always ', '-o timeout=1 '], ['auto', crate, '--cache=auto ', ''],
    ['none', defaults, '-o cache=none ', ''], ['none', crate, '--cache=never ', ''],
    ['always', defaults, '-o cache=always ', ''], ['always', crate, '--cache=always ', ''],
  ] as const)('means by %s that the host\'s changes are seen within a second, or what it says', (cache, share, policy, timeout) => {
    const text = given({ ...share, cache })
    expect(text).toContain(policy)
    expect(text.includes('timeout')).toBe(timeout !== '')
    expect(text).toContain(timeout)
  })

  it.each([[crate, '--xattrmap='], [defaults, '-o xattrmap=']])("lets a guest set user.* and file capabilities, and no label of the host's", (share, option) => {
    expect(given(share)).toContain(`${option}:ok:all:user.:user.::ok:all:security.capability:security.capability::unsupported:all::: `)
  })

  it('leaves extended attributes out where they are switched off', () => {
    expect(given({ ...crate, xattr: false })).not.toContain('xattr')
    expect(given({ ...defaults, xattr: false })).toContain('-o no_xattr ')
  })
})
