import * as sys from 'native:sys'
import { AT_EMPTY_PATH, O_RDONLY } from '../../native/ts/constants/fcntl.ts'
import { NS_GET_NSTYPE, NSFS_MAGIC } from '../../native/ts/constants/net.ts'
import { CLONE_NEWNET } from '../../native/ts/constants/sched.ts'
import { check, checked, errnoName } from '../../native/ts/errno.ts'
import { Fault } from '../../native/ts/fault.ts'
import { type Fd, open } from '../../native/ts/fd.ts'
import type { Log } from '../log.ts'

/** Where a thread finds the namespace it is in: proc_pid_ns(5). */
const ownPath = '/proc/thread-self/ns/net'
const initPath = '/proc/1/ns/net'
/** sysexits.h EX_SOFTWARE */
const exitSoftware = 70

/**
 * A network namespace, held open.
 *
 * `run` goes there and back within one synchronous call (setns(2) of the only thread): no other code of the shim can
 * run between, and what is opened there (rtnetlink sockets, taps, listeners) stays bound to it for good. A forked child that
 * would pass its descriptors back does the same with a copy of the heap, a process to reap and another way to fail.
 */
export class Netns implements Disposable {
  /** Tells this namespace from every other one that exists now. */
  readonly inode: number
  readonly #fd: Fd

  private constructor(readonly path: string, fd: Fd, private readonly log: Pick<Log, 'error'> | undefined) {
    this.#fd = fd
    this.inode = inodeOf(fd)
  }

  /** Opens what containerd named. `log` is told why this process had to end. Throws Fault for what is no network namespace, or is the host's. */
  static open(path: string, log?: Pick<Log, 'error'>): Netns {
    const fd = openNamespace(path)
    try {
      const netns = new Netns(path, fd, log)
      if (netns.isHost()) {
        throw new Fault(`${path} is the host's network namespace, which a microVM cannot join`, {
          fix: 'give the container a network namespace of its own (no hostNetwork), or run it with another runtime',
        })
      }
      return netns
    } catch (error) {
      fd.close()
      throw error
    }
  }

  /** Lent to the caller. */
  get fd(): number {
    return this.#fd.number
  }

  /** What `work` gives, done inside. `work` must be synchronous. Throws what it throws. */
  run<T>(work: () => T): T {
    using home = open(ownPath, O_RDONLY)
    check('setns', this.path, sys.setns(this.#fd.number, CLONE_NEWNET))
    try {
      return work()
    } finally {
      // A shim that went on in a pod's namespace would take it for the host's: it must not go on.
      const back = sys.setns(home.number, CLONE_NEWNET)
      if (back < 0) {
        this.log?.error(`the shim ends: it cannot leave the pod's network namespace ${this.path}: setns(2): ${errnoName(-back)}`)
        sys.exit(exitSoftware)
      }
    }
  }

  /** The shim's own namespace is the host's for it, also where containerd itself is in a container. */
  private isHost(): boolean {
    return [ownPath, initPath].some(path => {
      const other = sys.statx(-1, path, 0)
      return typeof other !== 'number' && other.ino === this.inode
    })
  }

  [Symbol.dispose](): void {
    this.#fd.close()
  }
}

function openNamespace(path: string): Fd {
  let fd: Fd
  try {
    fd = open(path, O_RDONLY)
  } catch (cause) {
    throw new Fault(`the network namespace ${path} cannot be opened`, { cause, fix: 'it must exist before the container is made' })
  }
  // Asked for by its file system first: another file's ioctl(2) might do something.
  const known = sys.statfs(`/proc/self/fd/${fd.number}`)
  const isNamespace = typeof known !== 'number' && known.type === NSFS_MAGIC && sys.ioctl(fd.number, NS_GET_NSTYPE, 0) === CLONE_NEWNET
  if (isNamespace) return fd
  fd.close()
  throw new Fault(`${path} is no network namespace`, { fix: 'name a file such as /run/netns/NAME or /proc/PID/ns/net' })
}

function inodeOf(fd: Fd): number {
  return checked('statx', fd.what, sys.statx(fd.number, '', AT_EMPTY_PATH)).ino
}
