/** `kata-ts`: the OCI runtime command line over the container library, on the host and without a virtual machine. */
import * as sys from 'native:sys'
import { AT_FDCWD, O_APPEND, O_CREAT, O_WRONLY } from '../../native/ts/constants/fcntl.ts'
import { Fault, story } from '../../native/ts/fault.ts'
import { ociVersion } from '../../protocol/oci/state.ts'
import { version } from '../version.ts'
import { parseOptions } from './arguments.ts'
import type { Verb } from './context.ts'
import { create } from './create.ts'
import { remove } from './delete.ts'
import { events } from './events.ts'
import { exec } from './exec.ts'
import { features } from './features.ts'
import { kill } from './kill.ts'
import { list } from './list.ts'
import { pause } from './pause.ts'
import { ps } from './ps.ts'
import { resume } from './resume.ts'
import { run } from './run.ts'
import { start } from './start.ts'
import { state } from './state.ts'
import { Store } from './store.ts'
import { update } from './update.ts'

/** Loaded for the few who ask: no OCI client does. */
const attest: Verb = async (args, context) => (await import('./attest/attest.ts')).attest(args, context)
/** What `attest` runs in its container, and nobody else. */
const probe: Verb = async (args, context) => (await import('./attest/probe.ts')).probe(args, context)

const verbs: Readonly<Record<string, Verb>> = { create, start, state, kill, delete: remove, run, exec, list, features, pause, resume, ps, update, events, attest, 'attest-probe': probe }

const globalOptions = {
  'root': 'text', 'log': 'text', 'log-format': 'text', 'debug': 'flag', 'systemd-cgroup': 'flag', 'rootless': 'text', 'criu': 'text', 'version': 'flag', 'help': 'flag',
} as const

/** Appends to the log that containerd and podman read the error from, as logrus writes it; stderr without one. */
function logLine(path: string | undefined, json: boolean, level: 'error' | 'warning', msg: string): void {
  const time = new Date().toISOString()
  const line = json ? JSON.stringify({ level, msg, time }) : `time="${time}" level=${level} msg=${JSON.stringify(msg)}`
  if (path === undefined) write(2, level === 'error' ? `kata-ts: ${msg}\n` : `kata-ts: warning: ${msg}\n`)
  else sys.writeFile(AT_FDCWD, path, `${line}\n`, O_WRONLY | O_CREAT | O_APPEND, 0o644)
}

function write(fd: number, text: string): void {
  const bytes = sys.utf8Encode(text)
  for (let sent = 0; sent < bytes.length;) {
    const wrote = sys.write(fd, bytes, sent, bytes.length - sent)
    if (wrote < 0) return
    sent += wrote
  }
}

async function main(args: readonly string[]): Promise<number> {
  const { options, rest } = parseOptions(args, globalOptions, { v: 'version', h: 'help' }, true)
  const log = (level: 'error' | 'warning', msg: string) => logLine(options.log, options['log-format'] === 'json', level, msg)
  const print = (text: string) => write(1, `${text}\n`)
  try {
    if (options.version) {
      print(`kata-ts version ${version}\nspec: ${ociVersion}`)
      return 0
    }
    const [name = '', ...verbArgs] = rest
    const verb = Object.hasOwn(verbs, name) ? verbs[name] : undefined
    if (!verb) throw new Fault(name ? `unknown command ${name}` : 'no command given', { fix: `known are: ${Object.keys(verbs).join(', ')}` })
    if (options['systemd-cgroup']) throw new Fault('the systemd cgroup driver is not supported', { fix: 'use the cgroupfs driver' })
    return await verb(verbArgs, { store: new Store(options.root ?? '/run/kata-ts/oci'), warn: message => log('warning', message), print })
  } catch (error) {
    log('error', story(error))
    // Clients that read the log show stderr too when they have nothing better.
    if (options.log !== undefined) write(2, `kata-ts: ${story(error)}\n`)
    return 1
  }
}

sys.exit(await main(sys.argv().slice(1)))
