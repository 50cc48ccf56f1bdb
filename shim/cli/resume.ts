import { parseOptions, words } from './arguments.ts'
import type { Context } from './context.ts'

/** `resume ID` */
export async function resume(args: readonly string[], { store, warn }: Context): Promise<number> {
  await store.load(words(parseOptions(args, {}).rest, 'resume', 'id').id, warn).resume()
  return 0
}
