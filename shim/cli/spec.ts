import * as sys from 'native:sys'
import { Fault } from '../../native/ts/fault.ts'
import { exists, writeText } from '../../native/ts/file.ts'
import { parseOptions, words } from './arguments.ts'
import type { Context } from './context.ts'
import { defaultSpec, rootless } from './default-spec.ts'

/** `spec [--bundle DIR] [--rootless]`: writes a config.json to start from. */
export async function spec(args: readonly string[], _context: Context): Promise<number> {
  const { options, rest } = parseOptions(args, { bundle: 'text', rootless: 'flag' }, { b: 'bundle' })
  words(rest, 'spec')
  const path = options.bundle === undefined ? 'config.json' : `${options.bundle}/config.json`
  if (exists(path)) throw new Fault('File config.json exists. Remove it first')
  const made = defaultSpec(exists('/sys/fs/cgroup/cgroup.controllers'))
  writeText(path, JSON.stringify(options.rootless ? rootless(made, { uid: sys.geteuid(), gid: sys.getegid() }) : made, undefined, '\t'), 0o666)
  return 0
}
