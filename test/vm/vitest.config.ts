import { defineConfig } from 'vitest/config'

// The QEMU driver and the share on the real engine, kernel, QEMU, virtiofsd and vsock daemon, without containerd.
export default defineConfig({
  test: { root: new URL('../..', import.meta.url).pathname, include: ['test/vm/**/*.spec.ts'], testTimeout: 60_000, hookTimeout: 120_000, fileParallelism: false },
})
