import { execFileSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { type Entry, writeCpio } from './cpio.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const directory = (path: string): Entry => ({ type: 'directory', path, mode: 0o755 })
const file = (path: string, content: string): Entry => ({ type: 'file', path, mode: 0o644, content: bytes(content) })

/** What GNU cpio, a foreign implementation, reads in the archive. */
function listing(archive: Uint8Array): string[] {
  const out = execFileSync('cpio', ['-tvn', '--quiet'], { input: archive, stdio: ['pipe', 'pipe', 'pipe'] })
  return out.toString().trimEnd().split('\n')
}

describe('cpio archive', () => {
  const entries: Entry[] = [
    directory('dev'),
    { type: 'character-device', path: 'dev/null', mode: 0o666, major: 1, minor: 3 },
    file('a', 'x'),
    file('ab', 'four'),
    file('empty', ''),
  ]

  test('is read by GNU cpio: types, modes, owners, sizes, device numbers', () => {
    const lines = listing(writeCpio(entries)).map((line) => line.replace(/\s+/g, ' '))
    expect(lines).toEqual([
      expect.stringMatching(/^-rw-r--r-- 1 (0|root) (0|root) 1 Jan 1 1970 a$/),
      expect.stringMatching(/^-rw-r--r-- 1 (0|root) (0|root) 4 Jan 1 1970 ab$/),
      expect.stringMatching(/^drwxr-xr-x 2 (0|root) (0|root) 0 Jan 1 1970 dev$/),
      expect.stringMatching(/^crw-rw-rw- 1 (0|root) (0|root) 1, 3 Jan 1 1970 dev\/null$/),
      expect.stringMatching(/^-rw-r--r-- 1 (0|root) (0|root) 0 Jan 1 1970 empty$/),
    ])
  })

  test('keeps file contents of every length modulo the alignment', () => {
    for (const content of ['', '1', '12', '123', '1234', '12345']) {
      const out = execFileSync('cpio', ['-i', '--quiet', '--to-stdout', 'f'], { input: writeCpio([file('f', content)]) })
      expect(out.toString()).toBe(content)
    }
  })

  test('has the same bytes whatever the order of the entries', () => {
    expect(writeCpio([...entries].reverse())).toEqual(writeCpio(entries))
  })

  test.each([
    ['an absolute path', [file('/a', '')], 'not a plain relative path: "/a"'],
    ['a climbing path', [directory('a'), file('a/../b', '')], 'not a plain relative path'],
    ['a path twice', [file('a', ''), file('a', '')], 'a is there twice'],
    ['a file without its directory', [file('bin/sh', '')], 'bin/sh has no entry for its directory bin'],
    ['a file below a file', [file('a', ''), file('a/b', '')], 'a/b has no entry for its directory a'],
  ])('refuses %s', (_what, bad, message) => {
    expect(() => writeCpio(bad)).toThrow(message)
  })
})
