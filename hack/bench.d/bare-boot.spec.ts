import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { expect, it, onTestFinished } from 'vitest'
import { tinyInit } from './bare-boot.ts'

it('makes an init that the kernel runs, says its word and goes on to its last system call', () => {
  const directory = mkdtempSync(`${tmpdir()}/kata-ts-init-`)
  onTestFinished(() => rmSync(directory, { recursive: true }))
  const program = tinyInit()
  // reboot(2), number 169, is the one call that must not be tried here: exit, number 60, takes its place.
  const call = program.indexOf(Buffer.from([0xb8, 169, 0, 0, 0]))
  expect(call).toBeGreaterThan(0)
  program.writeUInt8(60, call + 1)
  writeFileSync(`${directory}/init`, program, { mode: 0o755 })
  const { stdout, status } = spawnSync(`${directory}/init`, { timeout: 10_000, encoding: 'utf8' })
  // The status is the low byte of reboot's first argument, LINUX_REBOOT_MAGIC1.
  expect({ stdout, status }).toEqual({ stdout: 'booted\n', status: 0xad })
})
