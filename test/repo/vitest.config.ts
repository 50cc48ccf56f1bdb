import { defineConfig } from 'vitest/config'

// Every source is parsed: on a machine under load that takes many seconds.
export default defineConfig({ test: { root: new URL('../..', import.meta.url).pathname, include: ['test/repo/**/*.spec.ts'], testTimeout: 60_000 } })
