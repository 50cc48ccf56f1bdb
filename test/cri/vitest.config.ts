import { defineConfig } from 'vitest/config'

// critest runs before the cases are declared, one containerd after the other; a case only looks at a result.
export default defineConfig({
  test: { root: new URL('../..', import.meta.url).pathname, include: ['test/cri/**/*.spec.ts'], globalSetup: ['test/cri/global-setup.ts'], pool: 'forks', fileParallelism: false, testTimeout: 60_000 },
})
