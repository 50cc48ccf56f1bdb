import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { schema, tomlName, type Key } from './schema.ts'

describe('the configuration in README', () => {
  it('names every key with its default and what it is for', () => {
    const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')
    const rows = Object.entries(schema).flatMap(([section, keys]) => Object.entries(keys)
      .map(([name, key]: [string, Key<unknown>]) => `| \`${section}.${tomlName(name)}\` | \`${JSON.stringify(key.fallback)}\` | ${key.about} |`))
    expect(rows.filter(row => !readme.includes(row))).toEqual([])
  })
})
