/** Reads the command line and does what it says. */
import { Fault, story } from '../../native/ts/fault.ts'
import { ociVersion } from '../../protocol/oci/state.ts'
import { version } from '../version.ts'
import { parseOptions } from './arguments.ts'
import type { Verb } from './context.ts'
import { ExitFault } from './exit-fault.ts'
import { type Level, log, write } from './log.ts'
import { defaultRoot, isRootless } from './rootless.ts'
import { Store } from './store.ts'

/** Each in a part of the program of its own: what a verb does not need is never loaded. */
const verbs: Readonly<Record<string, () => Promise<Verb>>> = {
  create: async () => (await import('./create.ts')).create,
  start: async () => (await import('./start.ts')).start,
  state: async () => (await import('./state.ts')).state,
  kill: async () => (await import('./kill.ts')).kill,
  delete: async () => (await import('./delete.ts')).remove,
  run: async () => (await import('./run.ts')).run,
  exec: async () => (await import('./exec.ts')).exec,
  list: async () => (await import('./list.ts')).list,
  features: async () => (await import('./features.ts')).features,
  pause: async () => (await import('./pause.ts')).pause,
  resume: async () => (await import('./resume.ts')).resume,
  ps: async () => (await import('./ps.ts')).ps,
  update: async () => (await import('./update.ts')).update,
  events: async () => (await import('./events.ts')).events,
  spec: async () => (await import('./spec.ts')).spec,
  attest: async () => (await import('./attest/attest.ts')).attest,
  // What `attest` runs in its container, and nobody else.
  'attest-probe': async () => (await import('./attest/probe.ts')).probe,
  checkpoint: async () => (await import('./checkpoint.ts')).checkpoint,
  restore: async () => (await import('./checkpoint.ts')).restore,
}

const globalOptions = {
  'root': 'text', 'log': 'text', 'log-format': 'text', 'debug': 'flag', 'systemd-cgroup': 'flag', 'rootless': 'text', 'criu': 'text', 'version': 'flag', 'help': 'flag',
} as const

/** Runs `kata-ts` with what follows the program's name; gives its exit status. Errors are printed or logged as runc does. */
export async function commandLine(args: readonly string[]): Promise<number> {
  let tell = (level: Level, msg: string) => log({ path: undefined, format: 'text' }, level, msg)
  const print = (text: string) => write(1, `${text}\n`)
  try {
    const { options, rest } = parseOptions(args, globalOptions, { v: 'version', h: 'help' }, true)
    const format = options['log-format'] ?? 'text'
    if (format !== 'text' && format !== 'json') throw new Fault(`invalid log-format: ${format}`)
    tell = (level, msg) => log({ path: options.log, format }, level, msg)
    const [name = 'help', ...verbArgs] = rest
    if (options.version) {
      print(`kata-ts version ${version}\nspec: ${ociVersion}`)
      return 0
    }
    if (options.help || name === 'help' || name === 'h') {
      print((await import('./help.ts')).verbHelp(verbArgs[0] ?? (options.help ? name : '')))
      return 0
    }
    const load = Object.hasOwn(verbs, name) ? verbs[name] : undefined
    if (!load) throw new ExitFault(`No help topic for '${name}'`, 3)
    if (asksForHelp(name, verbArgs)) {
      print((await import('./help.ts')).verbHelp(name))
      return 0
    }
    const rootless = isRootless(options.rootless)
    if (options.debug) tell('debug', `kata-ts ${version}: ${args.join(' ')}`)
    const verb = await load()
    return await verb(verbArgs, { store: new Store(options.root ?? defaultRoot(), rootless), rootless, systemd: options['systemd-cgroup'], warn: message => tell('warning', message), print })
  } catch (error) {
    tell('error', story(error))
    return error instanceof ExitFault ? error.status : 1
  }
}

/** Of an exec only what stands before the id is ours. */
function asksForHelp(verb: string, args: readonly string[]): boolean {
  const own = verb === 'exec' || verb === 'ps' ? args.slice(0, 1) : args
  return own.some(arg => arg === '--help' || arg === '-h')
}
