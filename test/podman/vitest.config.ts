import { defineConfig } from 'vitest/config'

// A real podman. The time limits bound a hang; no case asserts how long something takes.
export default defineConfig({
  test: {
    root: new URL('../..', import.meta.url).pathname,
    include: ['test/podman/**/*.test.ts'],
    globalSetup: ['test/podman/global-setup.ts'],
    pool: 'forks',
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 180_000,
  },
})
