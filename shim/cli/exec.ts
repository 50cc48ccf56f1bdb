import { Fault, story } from '../../native/ts/fault.ts'
import { readText } from '../../native/ts/file.ts'
import { parseProcess } from '../../protocol/oci/parse.ts'
import type { Process } from '../../protocol/oci/process.ts'
import { parseOptions } from './arguments.ts'
import type { Context } from './context.ts'
import { ExitFault } from './exit-fault.ts'
import { Foreground } from './foreground.ts'
import { writePidFile } from './pid-file.ts'
import { ownIo, passedDescriptors, sendPidfd, sendTerminal } from './stdio.ts'

const execOptions = {
  'process': 'text', 'detach': 'flag', 'pid-file': 'text', 'console-socket': 'text', 'tty': 'flag', 'cwd': 'text', 'env': 'list', 'user': 'text',
  'additional-gids': 'list', 'cap': 'list', 'no-new-privs': 'flag', 'preserve-fds': 'text', 'ignore-paused': 'flag', 'apparmor': 'text', 'process-label': 'text', 'cgroup': 'list', 'pidfd-socket': 'text',
} as const

/** `exec [--process FILE | options] ID [CMD ARG…]`: one more process; without --detach it is waited for. */
export async function exec(args: readonly string[], { store, warn }: Context): Promise<number> {
  const { options, rest } = parseOptions(args, execOptions, { p: 'process', d: 'detach', t: 'tty', e: 'env', u: 'user', g: 'additional-gids', c: 'cap' }, true)
  const [id, ...command] = rest
  if (id === undefined) throw new Fault('kata-ts: "exec" requires a minimum of 1 argument(s)', { fix: 'exec takes <id> and a command' })
  try {
    const container = store.load(id, warn)
    const status = container.status()
    if (status === 'stopped') throw new Fault('cannot exec in a stopped container')
    if (status === 'paused' && !options['ignore-paused']) throw new Fault('cannot exec in a paused container (use --ignore-paused to override)')
    const process = options.process === undefined ? asWritten(container.spec.process, command, options) : parseProcess(readText(options.process))
    const io = ownIo(process.terminal, options['console-socket'], options.detach)
    const foreground = options.detach ? undefined : new Foreground()
    const started = await container.exec(process, io, { pass: passedDescriptors(options['preserve-fds']), evenPaused: options['ignore-paused'], cgroups: options.cgroup })
    sendTerminal(started, options['console-socket'])
    sendPidfd(started, options['pidfd-socket'])
    if (options['pid-file'] !== undefined) writePidFile(options['pid-file'], started.pid)
    return foreground ? await foreground.standFor(started) : 0
  } catch (error) {
    // The statuses up to 254 are the program's.
    throw new ExitFault(`exec failed: ${story(error)}`, 255)
  }
}

/** Numbers only: names are the image's, which the runtime does not look into. */
function idOf(what: 'uid' | 'gid', text: string): number {
  if (!/^\d{1,10}$/.test(text)) throw new Fault(`parsing ${text} as int for ${what} failed`, { fix: 'users and groups are given by number' })
  return Number(text)
}

interface Written {
  tty: boolean
  cwd: string | undefined
  env: string[]
  user: string | undefined
  'additional-gids': string[]
  'cap': string[]
  'no-new-privs': boolean
  'apparmor': string | undefined
  'process-label': string | undefined
}

/** The container's own process with what the command line changes. */
function asWritten(base: Process | undefined, args: string[], written: Written): Process {
  if (!base) throw new Fault('config.json has no process to take the settings of')
  if (args.length === 0) throw new Fault('exec needs a command, or --process FILE')
  if (written.cwd !== undefined && !written.cwd.startsWith('/')) throw new Fault('Cwd must be an absolute path', { fix: `--cwd ${written.cwd} is none` })
  const [uid, gid] = (written.user ?? '').split(':')
  const sets = base.capabilities ?? {}
  const withCaps = (set: string[] | undefined) => [...new Set([...set ?? [], ...written.cap])]
  return {
    ...base,
    args,
    terminal: written.tty,
    cwd: written.cwd ?? base.cwd,
    env: [...base.env ?? [], ...written.env],
    ...(written.apparmor === undefined ? {} : { apparmorProfile: written.apparmor }),
    ...(written['process-label'] === undefined ? {} : { selinuxLabel: written['process-label'] }),
    noNewPrivileges: written['no-new-privs'] || (base.noNewPrivileges ?? false),
    user: {
      ...base.user,
      ...(uid ? { uid: idOf('uid', uid) } : {}),
      ...(gid ? { gid: idOf('gid', gid) } : {}),
      ...(written['additional-gids'].length > 0 ? { additionalGids: written['additional-gids'].map(gid => idOf('gid', gid)) } : {}),
    },
    capabilities: written.cap.length === 0 ? sets : {
      bounding: withCaps(sets.bounding), effective: withCaps(sets.effective), permitted: withCaps(sets.permitted), inheritable: withCaps(sets.inheritable), ambient: sets.ambient ?? [],
    },
  }
}
