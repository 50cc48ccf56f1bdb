import { defineConfig } from 'vitest/config'

// The programs run before the cases are declared, with one runtime after the other; a case only looks at a result.
export default defineConfig({
  test: { root: new URL('../..', import.meta.url).pathname, include: ['test/validation/**/*.spec.ts'], pool: 'forks', fileParallelism: false },
})
