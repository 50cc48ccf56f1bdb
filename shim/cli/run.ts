import { whenReadable } from '../../native/ts/readiness.ts'
import { exitOf } from '../../native/ts/child.ts'
import { P_PIDFD, WEXITED } from '../../native/ts/constants/wait.ts'
import { checked, E, SysError } from '../../native/ts/errno.ts'
import * as sys from 'native:sys'
import type { ContainerProcess } from '../../agent/container/process.ts'
import { parseOptions, words } from './arguments.ts'
import type { Context } from './context.ts'
import { createOptions, createStored } from './create.ts'

/** `run [--detach] [--keep] … ID`: create, start, and without --detach wait, delete, and end with the container's status. */
export async function run(args: readonly string[], context: Context): Promise<number> {
  const { options, rest } = parseOptions(args, { ...createOptions, detach: 'flag', keep: 'flag' }, { b: 'bundle', d: 'detach' })
  const { id } = words(rest, 'run', 'id')
  const container = await createStored({ id, bundle: options.bundle, consoleSocket: options['console-socket'], pidFile: options['pid-file'], preserveFds: options['preserve-fds'] }, context)
  try {
    await container.start()
  } catch (error) {
    await waitFor(container.init)
    await container.delete(true)
    context.store.remove(id)
    throw error
  }
  if (options.detach) return 0
  const status = await waitFor(container.init)
  if (!options.keep) {
    await container.delete(true)
    context.store.remove(id)
  }
  return status
}

/** Waits for a process that is a child of this one; gives its status as a shell would. */
export async function waitFor(process: ContainerProcess): Promise<number> {
  await whenReadable(process.pidfd)
  const seen = sys.waitid(P_PIDFD, process.pidfd.number, WEXITED)
  if (seen === null) throw new SysError('waitid', `process ${process.pid}`, E.ECHILD)
  return exitOf(checked('waitid', `process ${process.pid}`, seen)).status
}
