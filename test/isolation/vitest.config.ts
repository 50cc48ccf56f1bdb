import { defineConfig } from 'vitest/config'

// Attacks on real containers, one at a time: what one of them uses up is no other one's failure.
process.env['KATA_TS_E2E_CONTAINERD'] ??= '2.1'

export default defineConfig({
  test: {
    include: ['test/isolation/*.test.ts'],
    globalSetup: ['test/isolation/global-setup.ts'],
    reporters: ['default', './test/isolation/report/reporter.ts'],
    pool: 'forks',
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 120_000,
    retry: 0,
  },
})
