import { defineConfig } from 'vitest/config'

// Real daemons and real microVMs: one file at a time, so that a leak is the fault of the case that shows it. The time
// limits bound a hang; no case asserts how long something takes.
export default defineConfig({
  test: {
    include: ['test/e2e/cases/**/*.test.ts'],
    globalSetup: ['test/e2e/global-setup.ts'],
    pool: 'forks',
    fileParallelism: false,
    testTimeout: 60_000,
    hookTimeout: 120_000,
    retry: 0,
  },
})
