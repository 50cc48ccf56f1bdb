import * as sys from 'native:sys'
import { parse, TomlError } from 'smol-toml'
import { AT_FDCWD } from '../../native/ts/constants/fcntl.ts'
import { E, SysError } from '../../native/ts/errno.ts'
import { Fault } from '../../native/ts/fault.ts'
import { readTextIfPresent } from '../../native/ts/file.ts'
import { nearest } from './nearest.ts'
import { schema, tomlName, type Config, type Key } from './schema.ts'

/** Read when $KATA_TS_CONFIG names no other file. */
export const defaultConfigPath = '/etc/kata-ts/config.toml'

/** A configuration is a page or two; what is larger is some other file. */
const maxConfigBytes = 256 * 1024

/** One file's text, with the name that errors give it. */
export interface Layer {
  path: string
  text: string
}

type Table = Record<string, unknown>

/** What an installed tree says of its own paths (deploy/install.sh): bin/ with the shim stands beside share/. */
function treeConfigPath(): string | undefined {
  const program = sys.readlinkat(AT_FDCWD, '/proc/self/exe')
  const directory = typeof program === 'string' ? /^(\/.*)\/bin\/[^/]+$/.exec(program)?.[1] : undefined
  return directory === undefined ? undefined : `${directory}/share/kata-ts/config.toml`
}

/**
 * The configuration: defaults, then what the installed tree says of itself, then `path`, then `config.d/*.toml` beside
 * it in lexical order; a later layer wins key by key. No file at all is the defaults, at the cost of three failed opens.
 * @param named the value of $KATA_TS_CONFIG; a file that is named there must exist
 * @throws Fault that names file, key, value and what is allowed
 */
export function loadConfig(named?: string, treeConfig = treeConfigPath()): Config {
  const path = named || defaultConfigPath
  if (!path.startsWith('/')) throw new Fault(`KATA_TS_CONFIG=${path} is no absolute path`)
  const layers: Layer[] = []
  const own = treeConfig === undefined ? undefined : readTextIfPresent(treeConfig, maxConfigBytes)
  if (treeConfig !== undefined && own !== undefined) layers.push({ path: treeConfig, text: own })
  const text = readTextIfPresent(path, maxConfigBytes)
  if (text !== undefined) layers.push({ path, text })
  else if (named) throw new Fault(`configuration ${path} does not exist`, { fix: 'correct or unset KATA_TS_CONFIG' })
  const directory = `${path.slice(0, path.lastIndexOf('/'))}/config.d`
  for (const name of namesIn(directory)) {
    const part = readTextIfPresent(`${directory}/${name}`, maxConfigBytes)
    if (part !== undefined) layers.push({ path: `${directory}/${name}`, text: part })
  }
  return configFrom(layers)
}

/** The defaults overlaid by `layers`, first to last. Throws Fault. */
export function configFrom(layers: readonly Layer[]): Config {
  const values: Record<string, Record<string, unknown>> = {}
  for (const [section, keys] of Object.entries(schema)) {
    values[section] = Object.fromEntries(Object.entries(keys).map(([name, key]: [string, Key<unknown>]) => [name, key.fallback]))
  }
  for (const layer of layers) overlay(values, layer)
  return values as Config // every key of the schema was filled from it just above, and replaced by its own read() only
}

function overlay(values: Record<string, Record<string, unknown>>, { path, text }: Layer): void {
  for (const [section, table] of Object.entries(parseToml(path, text))) {
    const keys: Record<string, Key<unknown>> | undefined = Object.hasOwn(schema, section) ? schema[section as keyof typeof schema] : undefined // just checked
    const target = values[section]
    if (!keys || !target) throw unknown(path, `section [${section}]`, section, Object.keys(schema), name => `[${name}]`)
    if (!isTable(table)) throw new Fault(`${path}: ${section} is no section`, { fix: `write [${section}] on a line of its own` })
    const names = new Map(Object.keys(keys).map(name => [tomlName(name), name]))
    for (const [tomlKey, value] of Object.entries(table)) {
      const name = names.get(tomlKey)
      const key = name === undefined ? undefined : keys[name]
      if (name === undefined || !key) throw unknown(path, `key ${section}.${tomlKey}`, tomlKey, [...names.keys()], near => `${section}.${near}`)
      const read = key.read(value)
      if (read === undefined) throw new Fault(`${path}: ${section}.${tomlKey} = ${shown(value)} is not allowed`, { fix: `it must be ${key.allowed}` })
      target[name] = read
    }
  }
}

function parseToml(path: string, text: string): Table {
  try {
    return parse(text)
  } catch (error) {
    if (!(error instanceof TomlError)) throw error
    // Its message goes on with a picture of the source over several lines; an error of ours is one line, and has no such cause.
    const [what = 'not valid'] = error.message.split('\n')
    throw new Fault(`${path}:${error.line}:${error.column}: ${what.replace(/^Invalid TOML document: /, 'not valid TOML: ')}`)
  }
}

function unknown(path: string, what: string, word: string, known: readonly string[], show: (name: string) => string): Fault {
  const near = nearest(word, known)
  return new Fault(`${path}: unknown ${what}`, {
    fix: near === undefined ? `known are ${known.map(show).join(', ')}` : `did you mean ${show(near)}?`,
  })
}

function shown(value: unknown): string {
  const text = JSON.stringify(value, (_key, inside: unknown) => typeof inside === 'bigint' ? inside.toString() : inside) ?? String(value)
  return text.length > 80 ? `${text.slice(0, 80)}…` : text
}

function isTable(value: unknown): value is Table {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date)
}

/** The *.toml files of a directory, sorted by bytes; none when there is no such directory. */
function namesIn(directory: string): string[] {
  const entries = sys.readdir(AT_FDCWD, directory)
  if (typeof entries === 'number') {
    if (entries === -E.ENOENT || entries === -E.ENOTDIR) return []
    throw new SysError('readdir', directory, -entries)
  }
  return entries.map(entry => entry.name).filter(name => name.endsWith('.toml') && !name.startsWith('.')).sort()
}
