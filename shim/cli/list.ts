import { parseOptions } from './arguments.ts'
import type { Context } from './context.ts'

/** `list [--format json] [--quiet]`: the containers of this root. */
export async function list(args: readonly string[], { store, warn, print }: Context): Promise<number> {
  const { options } = parseOptions(args, { format: 'text', quiet: 'flag' }, { f: 'format', q: 'quiet' })
  const found = store.ids().flatMap(id => {
    try {
      const { bundle, pid, created } = store.state(id)
      return [{ id, pid, status: store.load(id, warn).status(), bundle, created }]
    } catch {
      return [] // being created or deleted just now
    }
  })
  if (options.quiet) for (const { id } of found) print(id)
  else if (options.format === 'json') print(JSON.stringify(found))
  else for (const each of [{ id: 'ID', pid: 'PID', status: 'STATUS', bundle: 'BUNDLE', created: 'CREATED' }, ...found]) print(Object.values(each).join('\t'))
  return 0
}
