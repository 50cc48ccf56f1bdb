import { execFileSync } from 'node:child_process'
import { expect, it } from 'vitest'

it('sys.d.ts says what the Rust signatures say', () => {
  expect(() => execFileSync('node_modules/.bin/tsx', ['native/build/generate-dts.ts', '--check'], { stdio: 'pipe' })).not.toThrow()
})
