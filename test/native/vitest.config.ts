import { defineConfig } from 'vitest/config'

// The real binary: each case runs in a process of its own, so files may run side by side.
export default defineConfig({
  test: { root: new URL('../..', import.meta.url).pathname, include: ['test/native/**/*.spec.ts'], testTimeout: 60_000, maxWorkers: 2 },
})
