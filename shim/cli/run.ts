import { parseOptions, words } from './arguments.ts'
import type { Context } from './context.ts'
import { createOptions, createRequest, createStored } from './create.ts'
import { Foreground, waitFor } from './foreground.ts'

/** `run [--detach] [--keep] … ID`: create, start, and without --detach wait, delete, and end with the container's status. */
export async function run(args: readonly string[], context: Context): Promise<number> {
  const { options, rest } = parseOptions(args, { ...createOptions, 'detach': 'flag', 'keep': 'flag', 'no-subreaper': 'flag' }, { b: 'bundle', d: 'detach' })
  const { id } = words(rest, 'run', 'id')
  const container = await createStored({ ...createRequest(id, options), detach: options.detach }, context)
  const foreground = options.detach ? undefined : new Foreground()
  try {
    await container.start()
  } catch (error) {
    await waitFor(container.init)
    await container.delete(true)
    context.store.remove(id)
    throw error
  }
  if (!foreground) return 0
  const status = await foreground.standFor(container.init)
  if (!options.keep) {
    await container.delete(true)
    context.store.remove(id)
  }
  return status
}
