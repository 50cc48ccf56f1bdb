import { defineConfig } from 'vitest/config'
import { soakSeconds } from './settings.ts'

// One test that runs for as long as it was told, beside what it takes to end the last round.
export default defineConfig({
  test: {
    include: ['test/soak/**/*.test.ts'],
    pool: 'forks',
    fileParallelism: false,
    testTimeout: (soakSeconds + 1200) * 1000,
    hookTimeout: 120_000,
    retry: 0,
  },
})
