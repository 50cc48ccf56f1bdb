import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

const root = new URL('../../', import.meta.url).pathname
const readme = readFileSync(`${root}README.md`, 'utf8')

/** Figures with a unit of time, memory or rate; a figure without one (a version, a port) promises nothing. */
const figure = /\d[\d.,]*\s?(ms|s|MB\/s|MB|MiB|KiB|GB|GiB)\b/
const command = /`((?:hack|test|\.ci)\/[\w./-]+)[^`]*`/g

function section(title: RegExp): string[] {
  const lines = readme.split('\n')
  const start = lines.findIndex((line) => /^##+ /.test(line) && title.test(line))
  if (start < 0) return []
  const end = lines.findIndex((line, index) => index > start && /^##? /.test(line))
  return lines.slice(start + 1, end < 0 ? undefined : end)
}

describe('README', () => {
  it('has a section of numbers in which a command stands beside every figure, or the word pending', () => {
    const lines = section(/numbers/i)
    expect(lines).not.toEqual([])
    // A table names its command once for all its figures, in itself or in the paragraph that introduces it.
    const blocks = lines.join('\n').split(/\n\s*\n/)
    const told = (block: string | undefined): boolean => block !== undefined && (block.match(command) !== null || /pending/i.test(block))
    const loose = blocks.filter((block, index) => figure.test(block) && !told(block) && !told(blocks[index - 1]))
    expect(loose).toEqual([])
  })

  it('names only commands that exist', () => {
    const missing = [...readme.matchAll(command)].map(([, path]) => path ?? '').filter((path) => !existsSync(root + path))
    expect(missing).toEqual([])
  })

  it('names only files that exist', () => {
    const files = [...readme.matchAll(/`((?:native|protocol|shim|agent|guest-image|hack|test|deploy)\/[\w./-]+)`/g)].map(([, path]) => path ?? '')
    expect(files.filter((path) => !existsSync(root + path) && !path.includes('/gen/'))).toEqual([])
  })
})
