import { defineConfig } from 'vitest/config'

// Unit tests run on Node: the module `native:sys`, which the Rust binary provides in production,
// is a recording fake kernel there.
export default defineConfig({
  resolve: { alias: { 'native:sys': new URL('./native/ts/fake/sys.ts', import.meta.url).pathname } },
  test: { // Fuzzers and the type checker: on a machine under load they take many seconds.
    testTimeout: 60_000,
    include: ['{native/ts,protocol,shim,agent,guest-image,hack,test/fuzz}/**/*.spec.ts'] },
})
