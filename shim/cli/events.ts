import { parseOptions, words } from './arguments.ts'
import type { Context } from './context.ts'

/** `events --stats ID`: the figures once, as runc prints them. */
export async function events(args: readonly string[], { store, warn, print }: Context): Promise<number> {
  const { rest } = parseOptions(args, { stats: 'flag', interval: 'text' })
  const { id } = words(rest, 'events', 'id')
  print(JSON.stringify({ type: 'stats', id, data: store.load(id, warn).stats() }))
  return 0
}
