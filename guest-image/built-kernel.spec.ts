import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { CONTAINER_NEEDS, CONTAINER_REFUSALS } from './container-needs.ts'
import { parseConfig } from './kernel-config.ts'

const built = new URL('../build/guest/kernel.config', import.meta.url)

// Nothing to look at before the first hack/build-guest; hack/test builds the kernel before its later lanes.
describe.skipIf(!existsSync(built))('the built kernel', () => {
  const config = existsSync(built) ? parseConfig(readFileSync(built, 'utf8')) : new Map<string, string>()
  const valueOf = (symbol: string): string => config.get(`CONFIG_${symbol}`) ?? 'n'

  test.each(Object.entries(CONTAINER_NEEDS))('has what %s needs', (_feature, symbols) => {
    expect(symbols.filter((symbol) => valueOf(symbol) !== 'y')).toEqual([])
  })

  test.each(Object.entries(CONTAINER_REFUSALS))('has no %s: %s', (symbol) => {
    expect(valueOf(symbol)).toBe('n')
  })
})
