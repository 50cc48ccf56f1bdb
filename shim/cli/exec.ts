import { Fault } from '../../native/ts/fault.ts'
import { readText, writeText } from '../../native/ts/file.ts'
import { parseProcess } from '../../protocol/oci/parse.ts'
import type { Process } from '../../protocol/oci/process.ts'
import { parseOptions } from './arguments.ts'
import type { Context } from './context.ts'
import { runFromReadonlyMount } from './own-program.ts'
import { waitFor } from './run.ts'
import { ownIo, sendTerminal } from './stdio.ts'

const execOptions = {
  'process': 'text', 'detach': 'flag', 'pid-file': 'text', 'console-socket': 'text', 'tty': 'flag', 'cwd': 'text', 'env': 'list', 'user': 'text',
  'additional-gids': 'list', 'cap': 'list', 'no-new-privs': 'flag', 'preserve-fds': 'text', 'ignore-paused': 'flag',
} as const

/** `exec [--process FILE | options] ID [CMD ARG…]`: one more process; without --detach it is waited for. */
export async function exec(args: readonly string[], { store, warn }: Context): Promise<number> {
  const { options, rest } = parseOptions(args, execOptions, { p: 'process', d: 'detach', t: 'tty', e: 'env', u: 'user', g: 'additional-gids', c: 'cap' }, true)
  const [id, ...command] = rest
  if (id === undefined) throw new Fault('exec takes <id> and a command')
  runFromReadonlyMount()
  const container = store.load(id, warn)
  const process = options.process === undefined ? asWritten(container.spec.process, command, options) : parseProcess(readText(options.process))
  const started = await container.exec(process, ownIo(process.terminal, options['console-socket']))
  sendTerminal(started, options['console-socket'])
  if (options['pid-file'] !== undefined) writeText(options['pid-file'], `${started.pid}`, 0o644)
  return options.detach ? 0 : waitFor(started)
}

interface Written {
  tty: boolean
  cwd: string | undefined
  env: string[]
  user: string | undefined
  'additional-gids': string[]
  'cap': string[]
  'no-new-privs': boolean
}

/** The container's own process with what the command line changes. */
function asWritten(base: Process | undefined, args: string[], written: Written): Process {
  if (!base) throw new Fault('config.json has no process to take the settings of')
  if (args.length === 0) throw new Fault('exec needs a command, or --process FILE')
  const [uid, gid] = (written.user ?? '').split(':')
  const sets = base.capabilities ?? {}
  const withCaps = (set: string[] | undefined) => [...new Set([...set ?? [], ...written.cap])]
  return {
    ...base,
    args,
    terminal: written.tty,
    cwd: written.cwd ?? base.cwd,
    env: [...base.env ?? [], ...written.env],
    noNewPrivileges: written['no-new-privs'] || (base.noNewPrivileges ?? false),
    user: {
      ...base.user,
      ...(uid ? { uid: Number(uid) } : {}),
      ...(gid ? { gid: Number(gid) } : {}),
      ...(written['additional-gids'].length > 0 ? { additionalGids: written['additional-gids'].map(Number) } : {}),
    },
    capabilities: written.cap.length === 0 ? sets : {
      bounding: withCaps(sets.bounding), effective: withCaps(sets.effective), permitted: withCaps(sets.permitted), inheritable: withCaps(sets.inheritable), ambient: sets.ambient ?? [],
    },
  }
}
