import { parseOptions, words } from './arguments.ts'
import type { Context } from './context.ts'

/** `pause ID` */
export async function pause(args: readonly string[], { store, warn }: Context): Promise<number> {
  await store.load(words(parseOptions(args, {}).rest, 'pause', 'id').id, warn).pause()
  return 0
}
