import { defineConfig } from 'vitest/config'

// Unit tests run on Node: the module `native:sys`, which the Rust binary provides in production,
// is a recording fake kernel there.
export default defineConfig({
  resolve: { alias: { 'native:sys': new URL('./native/ts/fake/sys.ts', import.meta.url).pathname } },
  test: { include: ['{native/ts,protocol,shim,agent,guest-image,hack}/**/*.spec.ts'] },
})
