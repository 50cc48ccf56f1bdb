/** `kata-ts`: the OCI runtime command line over the container library, on the host and without a virtual machine. */
import * as sys from 'native:sys'
import { Fault, story } from '../../native/ts/fault.ts'
import { ociVersion } from '../../protocol/oci/state.ts'
import { version } from '../version.ts'
import { parseOptions } from './arguments.ts'
import { checkpoint, restore } from './checkpoint.ts'
import type { Verb } from './context.ts'
import { create } from './create.ts'
import { remove } from './delete.ts'
import { events } from './events.ts'
import { exec } from './exec.ts'
import { ExitFault } from './exit-fault.ts'
import { features } from './features.ts'
import { generalHelp, verbHelp } from './help.ts'
import { kill } from './kill.ts'
import { list } from './list.ts'
import { type Level, log, write } from './log.ts'
import { pause } from './pause.ts'
import { ps } from './ps.ts'
import { resume } from './resume.ts'
import { defaultRoot, isRootless } from './rootless.ts'
import { run } from './run.ts'
import { spec } from './spec.ts'
import { start } from './start.ts'
import { state } from './state.ts'
import { Store } from './store.ts'
import { update } from './update.ts'

/** Loaded for the few who ask: no OCI client does. */
const attest: Verb = async (args, context) => (await import('./attest/attest.ts')).attest(args, context)
/** What `attest` runs in its container, and nobody else. */
const probe: Verb = async (args, context) => (await import('./attest/probe.ts')).probe(args, context)

const verbs: Readonly<Record<string, Verb>> = { create, start, state, kill, delete: remove, run, exec, list, features, pause, resume, ps, update, events, spec, checkpoint, restore, attest, 'attest-probe': probe }

const globalOptions = {
  'root': 'text', 'log': 'text', 'log-format': 'text', 'debug': 'flag', 'systemd-cgroup': 'flag', 'rootless': 'text', 'criu': 'text', 'version': 'flag', 'help': 'flag',
} as const

async function main(args: readonly string[]): Promise<number> {
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
      print(verbHelp(verbArgs[0] ?? (options.help ? name : '')))
      return 0
    }
    const verb = Object.hasOwn(verbs, name) ? verbs[name] : undefined
    if (!verb) throw new ExitFault(`No help topic for '${name}'`, 3)
    if (asksForHelp(name, verbArgs)) {
      print(verbHelp(name))
      return 0
    }
    if (options['systemd-cgroup']) throw new Fault('the systemd cgroup driver is not supported', { fix: 'use the cgroupfs driver (podman: --cgroup-manager cgroupfs)' })
    const rootless = isRootless(options.rootless)
    if (options.debug) tell('debug', `kata-ts ${version}: ${args.join(' ')}`)
    return await verb(verbArgs, { store: new Store(options.root ?? defaultRoot(), rootless), rootless, warn: message => tell('warning', message), print })
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

if (sys.argv().length === 1) write(1, `${generalHelp()}\n`)
else sys.exit(await main(sys.argv().slice(1)))
