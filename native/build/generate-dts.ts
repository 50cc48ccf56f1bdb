/**
 * Generates native/ts/sys.d.ts, the face of module `native:sys`, from the Rust signatures in native/src/sys.
 *
 *   generate-dts.ts           writes the file
 *   generate-dts.ts --check   status 1 when the file is not what the Rust says
 *
 * Doc comments are carried over. `@type NAME TS-TYPE` in one gives a parameter's (or, without NAME, a field's) type,
 * `@signature TS` the whole signature.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { type NativeFunction, type NativeSection, type NativeStruct, parseSection } from './rust-signatures.ts'

const source = 'native/src/sys'
const target = 'native/ts/sys.d.ts'

const head = `/**
 * The face of the Rust binary: system calls and the event loop, with nothing decided.
 * Generated from native/src/sys by native/build/generate-dts.ts: change it there.
 *
 * Conventions
 * - A function that gives a number gives the call's result, or a negative errno (-ENOENT = -2).
 * - A function that gives data gives it, or a negative errno: \`typeof r === 'number'\` is failure.
 * - Nothing here throws but a TypeError for arguments of a wrong type or range.
 * - Buffers are borrowed for the call only. fds are plain numbers; who owns them is said in native/ts.
 * - EINTR is retried inside; EAGAIN is returned. New fds are close-on-exec.
 * - Constants (flags, ioctl numbers, …) live in native/ts/constants/, each with its kernel header.
 */
declare module 'native:sys' {
`

const plainTypes: Readonly<Record<string, string>> = {
  i32: 'number', u32: 'number', i64: 'number', f64: 'number', usize: 'number', u64: 'bigint', BigWord: 'bigint', bool: 'boolean',
  Text: 'string', String: 'string', Buffer: 'Uint8Array', 'Vec<u8>': 'Uint8Array', '[i32; 2]': '[number, number]',
  Outcome: 'number', Never: 'never',
}

/** The TypeScript type of a Rust type of the bridge (native/src/js). Throws for one it does not know. */
function typeOf(rust: string, structs: ReadonlySet<string>): string {
  const plain = plainTypes[rust]
  if (plain !== undefined) return plain
  if (structs.has(rust)) return rust
  const [, outer, inner] = /^(\w+)<(.+)>$/.exec(rust) ?? []
  if (inner !== undefined) {
    const type = typeOf(inner, structs)
    if (outer === 'Outcome') return type === 'number' ? 'number' : `${type} | number`
    if (outer === 'Checked') return type
    if (outer === 'Option') return `${type} | null`
    if (outer === 'Vec') return `${type}[]`
  }
  throw new Error(`no TypeScript type for ${rust}: give it with @type in the doc comment`)
}

/** Doc lines without tags, and the tags' texts by name. */
function splitDocs(docs: string[]): { text: string[]; types: Map<string, string>; signature: string | undefined } {
  const types = new Map<string, string>()
  let signature: string | undefined
  const text = docs.filter(line => {
    const [, tag, rest = ''] = /^@(type|signature) (.*)$/.exec(line) ?? []
    if (tag === 'signature') signature = rest
    if (tag === 'type') {
      const [, name, type] = /^(\w+) (?=[(\w'])(.*)$/.exec(rest) ?? []
      if (name !== undefined && type !== undefined) types.set(name, type)
      else types.set('', rest)
    }
    return tag === undefined
  })
  return { text, types, signature }
}

function comment(text: string[], indent: string): string {
  if (text.length === 0) return ''
  if (text.length === 1) return `${indent}/** ${text[0]} */\n`
  return `${indent}/**\n${text.map(line => `${indent} * ${line}\n`).join('')}${indent} */\n`
}

function functionText(item: NativeFunction, structs: ReadonlySet<string>): string {
  const { text, types, signature } = splitDocs(item.docs)
  if (signature !== undefined) return `${comment(text, '  ')}  export function ${item.name}${signature}\n`
  const parameters = item.parameters.map(({ name, rustType }) => `${name}: ${types.get(name) ?? typeOf(rustType, structs)}`)
  const result = item.result === undefined ? 'void' : typeOf(item.result, structs)
  return `${comment(text, '  ')}  export function ${item.name}(${parameters.join(', ')}): ${result}\n`
}

function structText(item: NativeStruct, structs: ReadonlySet<string>): string {
  const fields = item.fields.map(({ docs, name, rustType }) => {
    const { text, types } = splitDocs(docs)
    const [, optional] = /^Option<(.+)>$/.exec(rustType) ?? []
    const type = types.get('') ?? typeOf(optional ?? rustType, structs)
    return `${comment(text, '    ')}    ${name}${optional === undefined ? '' : '?'}: ${type}\n`
  })
  return `${comment(splitDocs(item.docs).text, '  ')}  export interface ${item.name} {\n${fields.join('')}  }\n`
}

function sections(): NativeSection[] {
  const table = readFileSync(`${source}/mod.rs`, 'utf8')
  const names = [...table.matchAll(/^ {4}(\w+)::FUNCTIONS,$/gm)].map(match => match[1])
  return names.map(name => parseSection(`${source}/${name}.rs`, readFileSync(`${source}/${name}.rs`, 'utf8')))
}

/** The whole file. */
function declarations(): string {
  const all = sections()
  const structs = new Set(all.flatMap(section => section.items.filter(item => item.kind === 'struct').map(item => item.name)))
  const body = all.map(({ title, items }) => {
    const rule = '─'.repeat(Math.max(4, 94 - title.length))
    const text = items.map(item => (item.kind === 'struct' ? structText(item, structs) : functionText(item, structs)))
    return `  // ── ${title} ${rule}\n${text.join('')}`
  })
  return `${head}${body.join('\n')}}\n`
}

const text = declarations()
if (process.argv[2] !== '--check') {
  writeFileSync(target, text)
} else if (readFileSync(target, 'utf8') !== text) {
  process.stderr.write(`error: ${target} is not what ${source} says\n  fix: npx tsx native/build/generate-dts.ts\n`)
  process.exit(1)
}
