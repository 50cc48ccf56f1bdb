import { readText } from '../../native/ts/file.ts'
import { parseResources } from '../../protocol/oci/parse.ts'
import { parseOptions, words } from './arguments.ts'
import type { Context } from './context.ts'

/** `update --resources FILE ID`: `-` reads stdin. */
export async function update(args: readonly string[], { store, warn }: Context): Promise<number> {
  const { options, rest } = parseOptions(args, { resources: 'text' }, { r: 'resources' })
  const path = options.resources === undefined || options.resources === '-' ? '/dev/stdin' : options.resources
  store.load(words(rest, 'update', 'id').id, warn).update(parseResources(readText(path)))
  return 0
}
