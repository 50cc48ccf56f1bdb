import { defineConfig } from 'vitest/config'

// One container at a time: the cases look at the host's mounts, processes and cgroups, and CPU is scarce.
export default defineConfig({
  test: {
    root: new URL('../..', import.meta.url).pathname,
    include: ['test/oci/**/*.spec.ts'],
    fileParallelism: false,
    testTimeout: 20_000,
    hookTimeout: 60_000,
  },
})
