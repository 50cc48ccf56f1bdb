import { parseOptions, words } from './arguments.ts'
import type { Context } from './context.ts'

/** `ps --format json ID`: pids as the host numbers them. */
export async function ps(args: readonly string[], { store, warn, print }: Context): Promise<number> {
  const { options, rest } = parseOptions(args, { format: 'text' }, { f: 'format' })
  const pids = store.load(words(rest, 'ps', 'id').id, warn).pids()
  print(options.format === 'json' ? JSON.stringify(pids) : ['PID', ...pids].join('\n'))
  return 0
}
