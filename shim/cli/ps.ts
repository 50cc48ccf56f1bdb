import * as sys from 'native:sys'
import { Fault } from '../../native/ts/fault.ts'
import { exists } from '../../native/ts/file.ts'
import { parseOptions } from './arguments.ts'
import { capture } from './capture.ts'
import type { Context } from './context.ts'

/** `ps [--format json] ID [ps options]`: pids as the host numbers them, or the host's ps of them. */
export async function ps(args: readonly string[], { store, warn, print }: Context): Promise<number> {
  // As runc's command line: options may stand behind the id, and what is none of ours is ps's.
  const { options, rest } = parseOptions(args, { format: 'text' }, { f: 'format' }, true)
  const [id, ...more] = rest
  if (id === undefined) throw new Fault('kata-ts: "ps" requires a minimum of 1 argument(s)')
  const late = /^--?f(ormat)?$/.test(more[0] ?? '') ? { format: more[1], psArgs: more.slice(2) } : { format: undefined, psArgs: more }
  const format = options.format ?? late.format ?? 'table'
  const pids = store.load(id, warn).pids()
  if (format === 'json') print(JSON.stringify(pids))
  else if (format === 'table') print(await tableOf(pids, late.psArgs.length > 0 ? late.psArgs : ['-ef']))
  else throw new Fault('invalid format option')
  return 0
}

async function tableOf(pids: readonly number[], psArgs: string[]): Promise<string> {
  const [head = '', ...lines] = (await capture(programOf('ps'), ['ps', ...psArgs])).trimEnd().split('\n')
  const column = head.trim().split(/\s+/).indexOf('PID')
  if (column < 0) throw new Fault('couldn\'t find PID field in ps output')
  return [head, ...lines.filter(line => pids.includes(Number(line.trim().split(/\s+/)[column])))].join('\n')
}

function programOf(name: string): string {
  const path = sys.environ().find(entry => entry.startsWith('PATH='))?.slice('PATH='.length) ?? '/usr/bin:/bin'
  const found = path.split(':').map(directory => `${directory}/${name}`).find(exists)
  if (found === undefined) throw new Fault(`exec: "${name}": executable file not found in $PATH`, { fix: 'install procps, or use --format json' })
  return found
}
