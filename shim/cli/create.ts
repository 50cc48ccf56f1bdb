import * as sys from 'native:sys'
import { checked } from '../../native/ts/errno.ts'
import { readText } from '../../native/ts/file.ts'
import { Container } from '../../agent/container/container.ts'
import { parseSpec } from '../../protocol/oci/parse.ts'
import { type Options, parseOptions, words } from './arguments.ts'
import type { Context } from './context.ts'
import { writePidFile } from './pid-file.ts'
import { ownIo, passedDescriptors, sendPidfd, sendTerminal } from './stdio.ts'

export const createOptions = {
  'bundle': 'text', 'console-socket': 'text', 'pid-file': 'text', 'no-pivot': 'flag', 'no-new-keyring': 'flag', 'preserve-fds': 'text', 'pidfd-socket': 'text',
} as const

export interface CreateRequest {
  id: string
  bundle?: string | undefined
  consoleSocket?: string | undefined
  pidFile?: string | undefined
  preserveFds?: string | undefined
  pidfdSocket?: string | undefined
  noPivot?: boolean
  noNewKeyring?: boolean
  /** Whether the caller's terminal is left to others. */
  detach: boolean
}

/** The part of a request that create and run have in common. */
export function createRequest(id: string, options: Options<typeof createOptions>): Omit<CreateRequest, 'detach'> {
  return {
    id, bundle: options.bundle, consoleSocket: options['console-socket'], pidFile: options['pid-file'], preserveFds: options['preserve-fds'], pidfdSocket: options['pidfd-socket'],
    noPivot: options['no-pivot'], noNewKeyring: options['no-new-keyring'],
  }
}

/** `create [--bundle DIR] … ID`: returns at `created`; the container waits on its start socket. */
export async function create(args: readonly string[], context: Context): Promise<number> {
  const { options, rest } = parseOptions(args, createOptions, { b: 'bundle' })
  const { id } = words(rest, 'create', 'id')
  const container = await createStored({ ...createRequest(id, options), detach: true }, context)
  container.init.close()
  return 0
}

/** Creates a container and what is kept of it; when it rejects, nothing of both is left. */
export async function createStored(request: CreateRequest, context: Context): Promise<Container> {
  const { store, warn } = context
  const { id } = request
  const bundle = absolute(request.bundle ?? '.')
  const config = readText(`${bundle}/config.json`)
  const spec = parseSpec(config)
  store.claim(id)
  try {
    const cgroupPath = `/kata-ts-${id}`
    // In a part of the program of its own: who has no systemd does not load it.
    const cgroup = context.systemd ? await (await import('./systemd/plan.ts')).planScope(spec, id) : undefined
    const io = ownIo(spec.process?.terminal, request.consoleSocket, request.detach)
    const container = await Container.create({ id, bundle, spec, io, cgroupPath, cgroup, startSocket: store.startSocket(id), inheritMounts: true, cgroupOptional: context.rootless, noPivot: request.noPivot ?? false, keepKeyring: request.noNewKeyring ?? false, pass: passedDescriptors(request.preserveFds), warn })
    try {
      const { pid, startTime, inode } = container.init
      store.save({ id, bundle, pid, startTime, inode, cgroupPath, scope: cgroup?.place, rootMount: container.rootMount, created: new Date().toISOString() }, config)
      sendTerminal(container.init, request.consoleSocket)
      sendPidfd(container.init, request.pidfdSocket)
      if (request.pidFile !== undefined) writePidFile(request.pidFile, pid)
      return container
    } catch (error) {
      await container.delete(true)
      throw error
    }
  } catch (error) {
    store.remove(id)
    throw error
  }
}

/** From the working directory. Throws SysError when that is gone. */
export function absolute(path: string): string {
  if (path.startsWith('/')) return path
  const here = checked('getcwd', '', sys.getcwd() as string | number) // a path or an errno
  return path === '.' ? here : `${here}/${path}`
}
