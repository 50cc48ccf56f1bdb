import * as sys from 'native:sys'
import { O_RDONLY } from '../../../native/ts/constants/fcntl.ts'
import { CLONE_NEWPID } from '../../../native/ts/constants/sched.ts'
import { SIGCHLD } from '../../../native/ts/constants/signal.ts'
import { check, checked, E, SysError } from '../../../native/ts/errno.ts'
import { Fd, open } from '../../../native/ts/fd.ts'
import { ContainerProcess } from '../process.ts'
import { cloneInside } from './clone-inside.ts'

export interface CloneOptions {
  what: string
  /** CLONE_NEW*. */
  flags: number
  /** Borrowed: a pid namespace (or a pidfd of one in it) that the child is born in. */
  bornIn?: number | undefined
  /** Borrowed: the user namespace that the child is born in, and that owns what `flags` makes. */
  userNamespace?: number | undefined
  /** Borrowed: the cgroup v2 directory that the child is born in. */
  cgroupFd?: number | undefined
  /** The child's work: synchronous, ends in execve or _exit. */
  child: () => never
}

/**
 * clone3(2). Of the pid namespace setns(2) changes only what children are born in, so this process steps
 * into the named one, clones and steps back: no second fork, and the child stays ours to reap.
 */
export function cloneProcess(options: CloneOptions): ContainerProcess {
  if (options.userNamespace !== undefined) return cloneInside(options)
  if (options.bornIn === undefined) return clone(options)
  using home = open('/proc/self/ns/pid_for_children', O_RDONLY)
  // Whether there is a way back is asked before: it takes rights over our own.
  const back = sys.setns(home.number, CLONE_NEWPID)
  if (back === -E.EPERM) return cloneInside(options)
  check('setns', 'the own pid namespace', back)
  check('setns', `pid namespace for ${options.what}`, sys.setns(options.bornIn, CLONE_NEWPID))
  // Every later child would be born in the wrong namespace if this failed: an error above any other. Only the
  // parent comes here: the child never leaves clone().
  const stepBack = () => check('setns', 'back to the own pid namespace', sys.setns(home.number, CLONE_NEWPID))
  let process: ContainerProcess
  try {
    process = clone(options)
  } catch (error) {
    stepBack()
    throw error
  }
  try {
    stepBack()
    return process
  } catch (error) {
    process.destroy()
    throw error
  }
}

function clone(options: CloneOptions): ContainerProcess {
  const args = { flags: options.flags, exitSignal: SIGCHLD, ...(options.cgroupFd === undefined ? {} : { cgroupFd: options.cgroupFd }) }
  const cloned = checked('clone3', options.what, sys.clone3(args))
  if (cloned.pid === 0) {
    try {
      options.child()
    } finally {
      // The child must never run the parent's code that follows.
      sys._exit(1)
    }
  }
  if (cloned.pid < 0) throw new SysError('clone3', options.what, -cloned.pid)
  return ContainerProcess.cloned(cloned.pid, new Fd(cloned.pidfd, `pidfd of ${options.what}`))
}
