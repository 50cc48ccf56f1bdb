import { defineConfig } from 'vitest/config'

// The unit lane's fuzzers for longer, then the native ones. They are slow by purpose: no time limit says anything.
export default defineConfig({
  resolve: { alias: { 'native:sys': new URL('../../native/ts/fake/sys.ts', import.meta.url).pathname } },
  test: {
    include: ['test/fuzz/**/*.spec.ts', 'test/fuzz/native/*.test.ts'],
    env: { KATA_TS_FUZZ_RUNS: process.env['KATA_TS_FUZZ_RUNS'] ?? '20000' },
    maxWorkers: 2,
    testTimeout: 3_600_000,
    hookTimeout: 1_800_000,
  },
})
