import { defineConfig } from 'vitest/config'

// A real cluster of one node: one file at a time, so that what is left over is the fault of the file that shows it.
// The time limits bound a hang on an emulated guest; no case asserts how long something takes.
export default defineConfig({
  test: {
    root: new URL('../..', import.meta.url).pathname,
    include: ['test/kubernetes/cases/**/*.test.ts'],
    globalSetup: ['test/kubernetes/global-setup.ts'],
    pool: 'forks',
    fileParallelism: false,
    testTimeout: 300_000,
    hookTimeout: 300_000,
    retry: 0,
  },
})
