/**
 * Bundles one entry for the engine: TypeScript → one ES module and its source map.
 *
 *   bundle.ts NAME ENTRY OUT_JS MAP_PLACE
 *
 * Writes OUT_JS and OUT_JS.map. The map names sources relative to MAP_PLACE, where it will lie. NAME stands in stack traces. The module imports nothing but `native:sys`.
 */
import { build, type Plugin } from 'esbuild'
import { existsSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'

/** The globals that QuickJS lacks; evaluated before the entry. */
const prelude = 'native/ts/prelude.ts'

/** Names the importer: without it the engine would only say at run time that there is no such module. */
const refuseNode: Plugin = {
  name: 'refuse-node',
  setup(build) {
    build.onResolve({ filter: /^node:/ }, args => ({
      errors: [{ text: `${args.path} exists on Node only; ${args.importer} runs in the engine` }],
    }))
  },
}

async function bundle(name: string, entry: string, js: string, mapPlace: string): Promise<void> {
  const imports = [prelude, entry].filter(path => existsSync(path)).map(path => `import ${JSON.stringify(resolve(path))}`)
  const result = await build({
    stdin: { contents: imports.join('\n'), resolveDir: process.cwd(), sourcefile: `${name}-start.ts` },
    bundle: true,
    format: 'esm',
    platform: 'neutral',
    mainFields: ['module', 'main'],
    external: ['native:sys'],
    // `using` has use-after-free fixes after this engine's version, so it is lowered (facts/runtime.md).
    target: 'es2023',
    supported: { using: false },
    charset: 'utf8',
    sourcemap: 'external',
    sourcesContent: false,
    outfile: mapPlace.replace(/\.map$/, ''),
    plugins: [refuseNode],
    write: false,
    logLevel: 'warning',
  })
  for (const file of result.outputFiles) writeFileSync(file.path.endsWith('.map') ? `${js}.map` : js, file.contents)
}

const [name, entry, js, mapPlace] = process.argv.slice(2)
if (name === undefined || entry === undefined || js === undefined || mapPlace === undefined) {
  throw new Error('usage: bundle.ts NAME ENTRY OUT_JS MAP_PLACE')
}
await bundle(name, entry, js, mapPlace).catch(() => process.exit(1))
