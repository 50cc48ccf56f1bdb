import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'
import { top } from './sources.ts'

const table = readFileSync(join(top, 'agent/README.md'), 'utf8').split('\n').filter(line => line.startsWith('| '))

/** Keys of the runtime spec as the parser knows them: the properties of its interfaces. */
function keysOf(file: string): string[] {
  const source = ts.createSourceFile(file, readFileSync(join(top, file), 'utf8'), ts.ScriptTarget.Latest)
  return source.statements.filter(ts.isInterfaceDeclaration).flatMap(one => one.members)
    .flatMap(member => (ts.isPropertySignature(member) && ts.isIdentifier(member.name) ? [member.name.text] : []))
}

/** Two numbers of a terminal, and the sections that others are in. */
const withoutRow = new Set(['height', 'width', 'process', 'user', 'linux', 'mounts', 'resources'])

describe('the table of the runtime spec', () => {
  it.each(['spec', 'process', 'hooks', 'linux', 'resources', 'seccomp'].map(name => `protocol/oci/${name}.ts`))('has every key of %s', file => {
    const text = table.join('\n')
    const keys = keysOf(file)
    expect(keys.length).toBeGreaterThan(6)
    const missing = keys.filter(key => !withoutRow.has(key) && !new RegExp(`\`([a-zA-Z]+\\.)?${key}\``).test(text))
    expect(missing).toEqual([])
  })

  it('names tests that there are', () => {
    const files = table.flatMap(line => [...line.matchAll(/`((?:test|agent)\/[^`]+\.ts)`/g)].map(match => match[1] ?? ''))
    expect(files.length).toBeGreaterThan(40)
    expect(files.filter(file => !existsSync(join(top, file)))).toEqual([])
  })
})
