import { readTextIfPresent, stat } from '../../native/ts/file.ts'
import { stateOf } from '../../agent/container/state.ts'
import { parseOptions, words } from './arguments.ts'
import type { Context } from './context.ts'

/** `state ID`: prints the state document, with what runc adds to it. */
export async function state(args: readonly string[], { store, warn, print }: Context): Promise<number> {
  const { id } = words(parseOptions(args, {}).rest, 'state', 'id')
  const { created } = store.state(id)
  const container = store.load(id, warn)
  const { ociVersion, status, pid = 0, bundle } = stateOf(container)
  const { annotations } = container.spec
  print(JSON.stringify({ ociVersion, id, pid, status, bundle, rootfs: store.rootfs(container), created, ...(annotations ? { annotations } : {}), owner: '' }, undefined, 2))
  return 0
}

/** The user that a directory belongs to, by name where /etc/passwd has one. */
export function ownerOf(directory: string): string {
  const { uid } = stat(directory)
  const line = (readTextIfPresent('/etc/passwd') ?? '').split('\n').find(each => each.split(':')[2] === `${uid}`)
  return line?.split(':')[0] ?? `#${uid}`
}
