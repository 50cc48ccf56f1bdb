import { defineConfig } from 'vitest/config'

// The agent in a real guest, without shim or containerd: one VM for all cases, so they run in order. Time limits bound
// a hang; no case asserts how long something takes.
export default defineConfig({
  test: { root: new URL('../..', import.meta.url).pathname, include: ['test/agent/**/*.spec.ts'], testTimeout: 60_000, hookTimeout: 120_000, fileParallelism: false },
})
