import { defineConfig } from 'vitest/config'

// Promises of README that do not depend on how fast the machine is.
export default defineConfig({ test: { include: ['test/limits/**/*.test.ts'], retry: 0 } })
