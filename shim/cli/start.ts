import { parseOptions, words } from './arguments.ts'
import type { Context } from './context.ts'

/** `start ID`: returns when the user's program runs. */
export async function start(args: readonly string[], { store, warn }: Context): Promise<number> {
  const { id } = words(parseOptions(args, {}).rest, 'start', 'id')
  await store.load(id, warn).start()
  return 0
}
