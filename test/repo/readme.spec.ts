import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { schema, tomlName } from '../../shim/config/schema.ts'
import { exceptions } from '../cri/exceptions.ts'
import { top } from './sources.ts'

const readme = readFileSync(join(top, 'README.md'), 'utf8')

/** The configuration table as it has to stand in README: one row a key. */
function configurationRows(): string[] {
  return Object.entries(schema).flatMap(([section, keys]) => Object.entries(keys).map(([name, key]) => {
    const fallback = JSON.stringify(key.fallback)
    return `| \`${section}.${tomlName(name)}\` | \`${fallback}\` | ${key.about.replaceAll('|', '\\|')} |`
  }))
}

describe('README', () => {
  it.each(configurationRows())('tells of the configuration key %s', row => expect(readme).toContain(row))

  it.each(Object.entries(exceptions))('names the exception to critest: %s', (spec, reason) => {
    expect(readme).toContain(`| ${spec.replace('[k8s.io] ', '')} | ${reason} |`)
  })

  it('says why each dependency is there', () => {
    const { devDependencies, dependencies } = JSON.parse(readFileSync(join(top, 'package.json'), 'utf8')) as Record<string, Record<string, string> | undefined>
    const names = Object.keys({ ...devDependencies, ...dependencies })
    expect(names.filter(name => !readme.includes(`\`${name}\``))).toEqual([])
  })
})
