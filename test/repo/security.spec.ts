import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { top } from './sources.ts'

const page = readFileSync(join(top, 'SECURITY.md'), 'utf8')
const rows = page.split('\n').filter(line => line.startsWith('|') && line.includes('hack/test'))
const quoted = [...page.matchAll(/`([^`]+)`/g)].map(match => match[1] ?? '')

/** Paths of the repository: those with a folder that it has, or a suffix of its files. */
const files = [...new Set(quoted.filter(word => /^(test|shim|agent|protocol|native|hack)\/\S+$/.test(word)))]
const lanes = [...readFileSync(join(top, 'hack/test'), 'utf8').matchAll(/^(?:ALL|MORE)_LANES=\(([^)]*)\)/gm)].flatMap(match => (match[1] ?? '').split(' '))

describe('SECURITY.md', () => {
  it('has promises, each with a test and the command that runs it', () => {
    expect(rows.length).toBeGreaterThan(15)
    for (const row of rows) expect(row, row).toMatch(/`[^`]*\.(spec|test)\.ts`|`test\/isolation\/cases\//)
    const promises = page.slice(page.indexOf('## What is promised'), page.indexOf('## What is not promised'))
    const unproven = promises.split('\n').filter(line => line.startsWith('| ') && !line.startsWith('| promise') && !line.includes('hack/test'))
    expect(unproven).toEqual([])
  })

  it.each(files)('names %s, which exists', path => expect(existsSync(join(top, path))).toBe(true))

  it.each([...new Set(quoted.filter(word => word.startsWith('hack/test ')))])('names %s, which is a lane', command => {
    expect(lanes).toContain(command.split(' ')[1])
  })

  /** A test's name stands behind its file: `file` "name". */
  it.each([...page.matchAll(/`([^`]+)` "([^"]+)"/g)].map(match => [match[1] ?? '', match[2] ?? '']))('%s has a test that is called "%s…"', (path, name) => {
    expect(readFileSync(join(top, path), 'utf8')).toContain(name)
  })
})
