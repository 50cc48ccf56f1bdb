import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { onTestFinished } from 'vitest'

/** A new directory of the host, removed when the test ends. `mode` 0o755: users without rights, as the VMM's, reach what is in it. */
export function temporaryDirectory(mode = 0o700): string {
  const path = mkdtempSync(`${tmpdir()}/kata-ts-e2e-`)
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  chmodSync(path, mode)
  return path
}
