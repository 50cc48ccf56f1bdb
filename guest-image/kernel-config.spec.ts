import { describe, expect, test } from 'vitest'
import { parseConfig, parseFragment, unmetRequests } from './kernel-config.ts'

const config = parseConfig('CONFIG_NET=y\nCONFIG_NR_CPUS=64\nCONFIG_LSM="landlock"\n# CONFIG_VT is not set\n')

describe('kernel configuration', () => {
  test('is accepted when every request is met, also those for n', () => {
    const requests = parseFragment('a', '# why\nCONFIG_NET=y\n\nCONFIG_NR_CPUS=64\nCONFIG_LSM="landlock"\nCONFIG_VT=n\nCONFIG_GONE=n\n')
    expect(unmetRequests(requests, config)).toEqual([])
  })

  test.each([
    ['a symbol that Kconfig dropped', 'CONFIG_TUN=y', 'a:1: asked for CONFIG_TUN=y, Kconfig made it n'],
    ['a symbol that another selects', 'CONFIG_NET=n', 'a:1: asked for CONFIG_NET=n, Kconfig made it y'],
    ['another value', 'CONFIG_NR_CPUS=8', 'a:1: asked for CONFIG_NR_CPUS=8, Kconfig made it 64'],
    ['a symbol asked for twice', 'CONFIG_NET=y\nCONFIG_NET=y', 'a:2: CONFIG_NET is already set at a:1'],
  ])('reports %s', (_what, fragment, problem) => {
    expect(unmetRequests(parseFragment('a', fragment), config)).toEqual([problem])
  })

  test('refuses a line that Kconfig would skip with a warning', () => {
    expect(() => parseFragment('net.config', 'CONFIG_NET=y\nCONFIG_TUN y')).toThrow('net.config:2')
  })
})
