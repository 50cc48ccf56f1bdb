import { stateOf } from '../../agent/container/state.ts'
import { parseOptions, words } from './arguments.ts'
import type { Context } from './context.ts'

/** `state ID`: prints the state document. */
export async function state(args: readonly string[], { store, warn, print }: Context): Promise<number> {
  const { id } = words(parseOptions(args, {}).rest, 'state', 'id')
  const stored = store.state(id)
  print(JSON.stringify({ ...stateOf(store.load(id, warn)), created: stored.created }, undefined, 2))
  return 0
}
