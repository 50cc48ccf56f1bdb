import { Fault } from '../native/ts/fault.ts'

/** What the shim is asked to do (containerd docs, runtime v2, "Commands"). */
export type Action = 'start' | 'delete' | 'info' | 'version'

/** The command line of a shim v2. */
export interface Flags {
  action: Action
  namespace: string
  /** Id of the container that the call is for; the sandbox's may be another. */
  id: string
  /** containerd's gRPC socket. */
  address: string
  /** Program that publishes events where there is no ttrpc address. */
  publishBinary: string
  /** Given for `delete`; for `start` the working directory is the bundle. */
  bundle: string
  /** Socket path to serve on instead of the computed one. */
  socket: string
  debug: boolean
}

const valued = { namespace: 'namespace', id: 'id', address: 'address', 'publish-binary': 'publishBinary', bundle: 'bundle', socket: 'socket' } as const
const switches = ['debug', 'info', 'v', 'version'] as const

function isValued(name: string): name is keyof typeof valued {
  return name in valued
}

/** A switch of Go's flag package: `-debug`, or `-debug=false`. */
function isOn(name: string, value: string | undefined): boolean {
  if (value === undefined || value === 'true' || value === '1') return true
  if (value === 'false' || value === '0') return false
  throw new Fault(`flag -${name} takes true or false, not ${JSON.stringify(value)}`)
}

/**
 * Reads the arguments behind the program's name. Flags have the shape of Go's flag package: one
 * dash or two, the value behind `=` or in the next argument. Throws Fault.
 */
export function parseFlags(args: readonly string[]): Flags {
  const flags: Flags = { action: 'start', namespace: '', id: '', address: '', publishBinary: '', bundle: '', socket: '', debug: false }
  const words: string[] = []
  let special: Action | undefined
  for (let at = 0; at < args.length; at++) {
    const arg = args[at] ?? ''
    const flag = /^--?([a-z][a-z-]*)(?:=(.*))?$/s.exec(arg)
    if (!flag) {
      words.push(arg)
      continue
    }
    const [, name = '', value] = flag
    if (isValued(name)) {
      const given = value ?? args[++at]
      if (given === undefined) throw new Fault(`flag -${name} needs a value`)
      flags[valued[name]] = given
    } else if (switches.some(known => known === name)) {
      if (!isOn(name, value)) continue
      if (name === 'debug') flags.debug = true
      else special = name === 'info' ? 'info' : 'version'
    } else {
      throw new Fault(`unknown flag -${name}`, { fix: `this program is started by containerd; flags: ${usage}` })
    }
  }
  flags.action = special ?? action(words)
  if (flags.action === 'start' || flags.action === 'delete') requireIdentity(flags)
  return flags
}

const usage = [...Object.keys(valued), ...switches].map(name => `-${name}`).join(' ')

function action(words: readonly string[]): Action {
  const [word, ...rest] = words
  if (rest.length > 0) throw new Fault(`unexpected argument ${JSON.stringify(rest[0])}`)
  if (word === 'start' || word === 'delete') return word
  throw new Fault(word === undefined ? 'no action given' : `unknown action ${JSON.stringify(word)}`, {
    fix: 'this program is started by containerd: start, delete, -info or -v',
  })
}

/** Ids and namespaces become names of files and directories: containerd's own rule (identifiers.Validate). */
const identifier = /^[A-Za-z0-9]+(?:[._-](?:[A-Za-z0-9]+))*$/

/** Whether containerd would accept `id` as an identifier; 76 characters is its limit. */
export function isIdentifier(id: string): boolean {
  return id.length <= 76 && identifier.test(id)
}

function requireIdentity(flags: Flags): void {
  for (const name of ['namespace', 'id'] as const) {
    if (flags[name] === '') throw new Fault(`flag -${name} is missing`)
    if (!isIdentifier(flags[name])) throw new Fault(`flag -${name}: ${JSON.stringify(flags[name])} is not an identifier`)
  }
}
