import { spawnSync } from 'node:child_process'
import { expect, it } from 'vitest'

/** The parts that need no kernel: allocator, archive, digest. */
it('the unit tests of the Rust code pass', () => {
  const cache = process.env['KATA_TS_CACHE'] ?? `${process.env['HOME'] ?? '/root'}/.cache/kata-ts`
  const target = 'x86_64-unknown-linux-musl'
  const run = spawnSync('cargo', ['test', '--quiet', '--lib', '--locked', '-j2', '--manifest-path', 'native/Cargo.toml', '--target', target, '--target-dir', `${cache}/cargo-test`], {
    encoding: 'utf8',
    env: { ...process.env, PATH: `${process.env['PATH']}:${process.env['HOME'] ?? '/root'}/.cargo/bin`, CC_x86_64_unknown_linux_musl: 'musl-gcc' },
  })
  expect(run.status, run.stderr + run.stdout).toBe(0)
  expect(run.stdout).toMatch(/test result: ok\. \d+ passed/)
}, 300_000)
