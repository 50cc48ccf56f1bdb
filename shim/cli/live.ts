/** Verbs on a container that lives, each a line or two over the library. */
import { readText } from '../../native/ts/file.ts'
import { parseResources } from '../../protocol/oci/parse.ts'
import { parseOptions, words } from './arguments.ts'
import type { Context } from './context.ts'

/** `pause ID` */
export async function pause(args: readonly string[], { store, warn }: Context): Promise<number> {
  await store.load(words(parseOptions(args, {}).rest, 'pause', 'id').id, warn).pause()
  return 0
}

/** `resume ID` */
export async function resume(args: readonly string[], { store, warn }: Context): Promise<number> {
  await store.load(words(parseOptions(args, {}).rest, 'resume', 'id').id, warn).resume()
  return 0
}

/** `ps --format json ID`: pids as the host numbers them. */
export async function ps(args: readonly string[], { store, warn, print }: Context): Promise<number> {
  const { options, rest } = parseOptions(args, { format: 'text' }, { f: 'format' })
  const pids = store.load(words(rest, 'ps', 'id').id, warn).pids()
  print(options.format === 'json' ? JSON.stringify(pids) : ['PID', ...pids].join('\n'))
  return 0
}

/** `update --resources FILE ID`: `-` reads stdin. */
export async function update(args: readonly string[], { store, warn }: Context): Promise<number> {
  const { options, rest } = parseOptions(args, { resources: 'text' }, { r: 'resources' })
  const path = options.resources === undefined || options.resources === '-' ? '/dev/stdin' : options.resources
  store.load(words(rest, 'update', 'id').id, warn).update(parseResources(readText(path)))
  return 0
}

/** `events --stats ID`: the figures once, as runc prints them. */
export async function events(args: readonly string[], { store, warn, print }: Context): Promise<number> {
  const { rest } = parseOptions(args, { stats: 'flag', interval: 'text' })
  const { id } = words(rest, 'events', 'id')
  print(JSON.stringify({ type: 'stats', id, data: store.load(id, warn).stats() }))
  return 0
}
