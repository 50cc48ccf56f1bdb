/**
 * Bundles one entry for the engine: TypeScript → ES modules and their source maps.
 *
 *   bundle.ts NAME ENTRY OUT_DIR MAPS_DIR
 *
 * Writes OUT_DIR/NAME.js, prelude.js, one chunk for what each dynamic import() needs on its own, and chunks that those
 * share; a .map for each, which names sources relative to MAPS_DIR, where it will lie; `native-names`, the functions
 * of `native:sys` that are used; and `read-only-words`, what own-program.ts beside the entry, if there is one, says.
 * The modules import nothing but each other and `native:sys`.
 */
import { build, type BuildOptions, type Plugin } from 'esbuild'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, dirname, resolve } from 'node:path'

/** The globals that QuickJS lacks; the engine evaluates it before the entry. */
const prelude = 'native/ts/prelude.ts'
const declarations = 'native/ts/sys.d.ts'
const sys = 'native:sys'

/** Names the importer: without it the engine would only say at run time that there is no such module. */
const refuseNode: Plugin = {
  name: 'refuse-node',
  setup(build) {
    build.onResolve({ filter: /^node:/ }, args => ({
      errors: [{ text: `${args.path} exists on Node only; ${args.importer} runs in the engine` }],
    }))
  },
}

/**
 * Makes `import * as sys` an import of the functions that are used, by a module between that tree shaking can look
 * through: the engine then makes no object for the namespace, and no function that nobody calls.
 */
function nameNatives(names: string[]): Plugin {
  return {
    name: 'name-natives',
    setup(build) {
      build.onResolve({ filter: /^native:sys$/ }, args =>
        args.namespace === sys ? { path: sys, external: true } : { path: sys, namespace: sys, sideEffects: false })
      build.onLoad({ filter: /.*/, namespace: sys }, () => ({ contents: `export { ${names.join(', ')} } from '${sys}'` }))
    },
  }
}

/** The functions of `native:sys` that the files of a bundle name, sorted. */
function usedNatives(files: string[], all: readonly string[]): string[] {
  const used = new Set(files.flatMap(file => [...readFileSync(file, 'utf8').matchAll(/\bsys\.(\w+)/g)].map(match => match[1])))
  return all.filter(native => used.has(native)).sort()
}

function options(name: string, entry: string, maps: string, natives: string[]) {
  return {
    entryPoints: { [name]: entry, prelude },
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'neutral',
    mainFields: ['module', 'main'],
    // `using` has use-after-free fixes after this engine's version, so it is lowered (facts/runtime.md).
    target: 'es2023',
    supported: { using: false },
    charset: 'utf8',
    sourcemap: 'external',
    sourcesContent: false,
    outdir: maps,
    chunkNames: '[name]-[hash]',
    plugins: [refuseNode, nameNatives(natives)],
    metafile: true,
    write: false,
    logLevel: 'warning',
  } as const satisfies BuildOptions
}

/** The arguments with which a program runs from a read-only mount of its own file; the engine reads them before it starts. */
async function readOnlyWords(entry: string): Promise<readonly string[]> {
  const file = resolve(dirname(entry), 'own-program.ts')
  return existsSync(file) ? (await import(file) as { readOnlyWords: readonly string[] }).readOnlyWords : []
}

async function bundle(name: string, entry: string, out: string, maps: string): Promise<void> {
  const all = [...readFileSync(declarations, 'utf8').matchAll(/export function (\w+)/g)].map(match => match[1] ?? '')
  // Twice: which files are in it is known only afterwards.
  const first = await build(options(name, entry, maps, all))
  const files = Object.values(first.metafile.outputs).flatMap(output => Object.keys(output.inputs)).filter(file => existsSync(file))
  const natives = usedNatives(files, all)
  const { outputFiles } = await build(options(name, entry, maps, natives))
  mkdirSync(out, { recursive: true })
  for (const file of outputFiles) writeFileSync(`${out}/${basename(file.path)}`, file.contents)
  writeFileSync(`${out}/native-names`, natives.join('\n'))
  writeFileSync(`${out}/read-only-words`, (await readOnlyWords(entry)).join('\n'))
}

const [name, entry, out, maps] = process.argv.slice(2)
if (name === undefined || entry === undefined || out === undefined || maps === undefined) {
  throw new Error('usage: bundle.ts NAME ENTRY OUT_DIR MAPS_DIR')
}
await bundle(name, entry, out, maps).catch(() => process.exit(1))
