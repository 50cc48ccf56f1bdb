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
    // A restart takes two seconds; longer where the machine is busy.
    testTimeout: 300_000 + 10_000 * Number(process.env['KATA_TS_KUBERNETES_RESTARTS'] ?? 0),
    hookTimeout: 300_000,
    retry: 0,
  },
})
