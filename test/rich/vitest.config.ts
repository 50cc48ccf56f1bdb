import { defineConfig } from 'vitest/config'

// Containers that are whole systems. Their images are built from Debian packages (a minute, once), and an emulated guest
// takes its time to boot them: a lane of its own, not part of the default ones.
process.env['KATA_TS_E2E_CONTAINERD'] ??= '2.1'

export default defineConfig({
  test: {
    include: ['test/rich/cases/**/*.test.ts'],
    globalSetup: ['test/e2e/global-setup.ts'],
    pool: 'forks',
    fileParallelism: false,
    testTimeout: 600_000,
    hookTimeout: 600_000,
    retry: 0,
  },
})
