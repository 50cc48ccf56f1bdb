import { describe, expect, test } from 'vitest'
import { initrdEntries } from './initrd.ts'

const entries = initrdEntries(new TextEncoder().encode('agent'))

describe('guest image', () => {
  test('has exactly one program, the agent, which nobody may write', () => {
    const files = entries.filter((entry) => entry.type === 'file')
    expect(files.map((entry) => entry.path)).toEqual(['init'])
    expect(files.every((entry) => (entry.mode & 0o222) === 0 && (entry.mode & 0o111) !== 0)).toBe(true)
  })

  test('has no setuid or setgid bit', () => {
    expect(entries.filter((entry) => (entry.mode & 0o6000) !== 0)).toEqual([])
  })

  test('has what the kernel and the agent open before anything is mounted', () => {
    const paths = entries.map((entry) => entry.path)
    expect(paths).toEqual(expect.arrayContaining(['dev/console', 'dev/null', 'dev/kmsg', 'proc', 'sys', 'run']))
  })
})
