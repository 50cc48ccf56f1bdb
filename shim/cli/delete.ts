import { parseOptions, words } from './arguments.ts'
import type { Context } from './context.ts'

/** `delete [--force] ID`; with force a container that does not exist is no error. */
export async function remove(args: readonly string[], { store, warn }: Context): Promise<number> {
  const { options, rest } = parseOptions(args, { force: 'flag' }, { f: 'force' })
  const { id } = words(rest, 'delete', 'id')
  if (options.force && !store.ids().includes(id)) return 0
  await store.load(id, warn).delete(options.force)
  store.remove(id)
  return 0
}
