import { Fault } from '../../native/ts/fault.ts'
import { ociVersion } from '../../protocol/oci/state.ts'
import { parseOptions, words } from './arguments.ts'
import type { Context } from './context.ts'
import { ownerOf } from './state.ts'
import { table } from './table.ts'

/** `list [--format json] [--quiet]`: the containers of this root. */
export async function list(args: readonly string[], { store, warn, print }: Context): Promise<number> {
  const { options, rest } = parseOptions(args, { format: 'text', quiet: 'flag' }, { f: 'format', q: 'quiet' })
  words(rest, 'list')
  const format = options.format ?? 'table'
  if (options.quiet) {
    for (const id of store.ids()) print(id)
    return 0
  }
  if (format !== 'table' && format !== 'json') throw new Fault('invalid format option')
  const found = store.ids().flatMap(id => {
    try {
      const { bundle, pid, created } = store.state(id)
      const container = store.load(id, warn)
      const status = container.status()
      const { annotations } = container.spec
      return [{
        ociVersion, id, pid: status === 'stopped' ? 0 : pid, status, bundle, rootfs: store.rootfs(container), created,
        ...(annotations ? { annotations } : {}), owner: ownerOf(store.directory(id)),
      }]
    } catch {
      return [] // being created or deleted just now
    }
  })
  if (format === 'json') print(found.length === 0 ? 'null' : JSON.stringify(found))
  else print(table([['ID', 'PID', 'STATUS', 'BUNDLE', 'CREATED', 'OWNER'], ...found.map(each => [each.id, `${each.pid}`, each.status, each.bundle, each.created, each.owner])]))
  return 0
}
