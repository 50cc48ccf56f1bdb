import { Fault } from '../../native/ts/fault.ts'
import { parseOptions, words } from './arguments.ts'
import type { Context } from './context.ts'

/** `delete [--force] ID`; with force a container that does not exist is no error. */
export async function remove(args: readonly string[], { store, warn }: Context): Promise<number> {
  const { options, rest } = parseOptions(args, { force: 'flag' }, { f: 'force' })
  const { id } = words(rest, 'delete', 'id')
  if (options.force && !store.ids().includes(id)) return 0
  const container = store.load(id, warn)
  const status = container.status()
  if (status !== 'stopped' && !options.force) throw new Fault(`cannot delete container ${id} that is not stopped: ${status}`, { fix: 'stop it first, or use --force' })
  await container.delete(options.force)
  store.remove(id)
  return 0
}
