import * as sys from 'native:sys'
import { CLOSE_RANGE_CLOEXEC, lastFd } from './constants/close_range.ts'
import { EPOLLIN } from './constants/epoll.ts'
import { AT_EMPTY_PATH, AT_FDCWD, F_DUPFD_CLOEXEC, O_PATH, O_RDWR } from './constants/fcntl.ts'
import { PR_SET_PDEATHSIG } from './constants/prctl.ts'
import { SIGCHLD, SIGKILL, signalName } from './constants/signal.ts'
import { CLD_EXITED, P_PIDFD, WEXITED, WNOHANG } from './constants/wait.ts'
import { check, checked, E, SysError } from './errno.ts'
import { Fd, open, pipe } from './fd.ts'

export interface SpawnOptions {
  path: string
  /** argv[0] included. */
  argv: string[]
  env: string[]
  /** Descriptors for 0, 1 and 2, borrowed; 'null': /dev/null. */
  stdio: [number | 'null', number | 'null', number | 'null']
  /** Further descriptors (borrowed) that the program finds under 3, 4, … in this order. */
  pass?: number[]
  cwd?: string
  /** Sent to the child when this process dies (prctl(2) PR_SET_PDEATHSIG). */
  parentDeathSignal?: number
  /** Runs in the child, synchronously, just before execve; what it throws becomes spawn's error. */
  beforeExec?: () => void
  /** CLONE_NEW* flags. */
  namespaces?: number
}

/** How a process ended. */
export interface Exit {
  /** Exit status, or 128 + signal. */
  status: number
  signal: number | undefined
}

/** What waitid(2) saw, as a shell tells it: a signal is 128 more than its number. */
export function exitOf(seen: { code: number; status: number }): Exit {
  return seen.code === CLD_EXITED ? { status: seen.status, signal: undefined } : { status: 128 + seen.status, signal: seen.status }
}

/** `exited with status 1` or `was killed by SIGKILL`. */
export function exitText(exit: Exit): string {
  return exit.signal === undefined ? `exited with status ${exit.status}` : `was killed by ${signalName(exit.signal)}`
}

/** A child process of ours with its pidfd: whoever holds it must wait() for it or dispose of it. */
export class Child {
  #exit: Exit | undefined
  #waiting: Promise<Exit> | undefined

  /** Takes ownership of `pidfd`. */
  constructor(readonly pid: number, readonly pidfd: Fd, readonly what: string) {}

  get exit(): Exit | undefined {
    return this.#exit
  }

  /** Resolves with the exit once the process is dead and reaped; the same promise for every caller. */
  wait(): Promise<Exit> {
    this.#waiting ??= new Promise((resolve, reject) => {
      const seen = this.#reap(WNOHANG)
      if (seen) {
        this.pidfd.close()
        resolve(seen)
        return
      }
      const fd = this.pidfd.number
      check('epoll_ctl', this.what, sys.watch(fd, EPOLLIN, () => {
        try {
          const exit = this.#reap(WNOHANG)
          if (!exit) return
          sys.unwatch(fd)
          this.pidfd.close()
          resolve(exit)
        } catch (error) {
          sys.unwatch(fd)
          reject(error)
        }
      }))
    })
    return this.#waiting
  }

  /** Waits until it is dead, and reaps it, synchronously: nothing else of this process runs meanwhile. Nobody else may be waiting. */
  waitNow(): Exit {
    return this.#reap(0) ?? { status: 0, signal: undefined }
  }

  /** False when the process is gone already. */
  kill(signal: number): boolean {
    if (this.#exit || !this.pidfd.open) return false
    const sent = sys.pidfdSendSignal(this.pidfd.number, signal)
    if (sent === -E.ESRCH) return false
    check('pidfd_send_signal', `${signalName(signal)} to ${this.what}`, sent)
    return true
  }

  /** Kills with SIGKILL and reaps, synchronously. For error paths; nobody may be waiting. */
  [Symbol.dispose](): void {
    if (!this.#exit) {
      this.kill(SIGKILL)
      if (!this.#waiting) this.#reap(0)
    }
    this.pidfd.close()
  }

  #reap(options: number): Exit | undefined {
    if (this.#exit) return this.#exit
    const seen = sys.waitid(P_PIDFD, this.pidfd.number, WEXITED | options)
    if (seen === null) return undefined
    this.#exit = exitOf(checked('waitid', this.what, seen))
    return this.#exit
  }
}

/**
 * Starts a program. Throws SysError for what failed in the child too, execve(2) included: the child
 * tells its errno through a close-on-exec pipe, so that a missing program is an error here and not an exit status.
 */
export function spawn(options: SpawnOptions): Child {
  const { reader, writer } = pipe(`start of ${options.path}`)
  using _reader = reader
  // Owned by both: the child closes its copy by execve(2).
  using _writer = writer
  const cloned = checked('clone3', options.path, sys.clone3({ flags: options.namespaces ?? 0, exitSignal: SIGCHLD }))
  if (cloned.pid === 0) becomeProgram(options, writer)
  writer.close()
  const child = new Child(cloned.pid, new Fd(cloned.pidfd, `pidfd of ${options.path}`), options.path)
  const failure = readFailure(reader)
  if (!failure) return child
  child[Symbol.dispose]()
  throw failure
}

function readFailure(reader: Fd): SysError | undefined {
  const buffer = new Uint8Array(4096)
  const got = sys.read(reader.number, buffer, 0, buffer.length)
  if (got <= 0) return undefined
  const [call = 'execve', object = '', errno = '0'] = sys.utf8Decode(buffer, 0, got).split('\0')
  return new SysError(call, object, Number(errno))
}

/** Descriptors of the child are lifted to at least this number before they are put in place. */
const aboveAll = 64

/** The child's side: never comes back. */
function becomeProgram(options: SpawnOptions, writer: Fd): never {
  let report = writer.number
  try {
    report = lift(report)
    // Opened while it can be: beforeExec may change the root directory.
    const nothing = [...options.stdio, ...options.pass ?? []].includes('null') ? lift(open('/dev/null', O_RDWR).release()) : -1
    // Opened while we may: beforeExec may give up the right to walk to it (a program below a home folder of mode 0700).
    const opened = sys.openat(AT_FDCWD, options.path, O_PATH, 0)
    const program = opened < 0 ? opened : lift(opened)
    if (options.parentDeathSignal) check('prctl', 'PR_SET_PDEATHSIG', sys.prctl(PR_SET_PDEATHSIG, options.parentDeathSignal, 0, 0, 0))
    if (options.cwd !== undefined) check('chdir', options.cwd, sys.chdir(options.cwd))
    options.beforeExec?.()
    placeDescriptors(options, nothing)
    const failed = sys.execve(options.path, options.argv, options.env)
    // Only then by its descriptor: the process is called by that number instead of its name.
    if (failed === -E.EACCES && program >= 0) sys.execveat(program, '', options.argv, options.env, AT_EMPTY_PATH)
    check('execve', options.path, failed)
  } catch (error) {
    const [call, object, errno] = error instanceof SysError
      ? [error.call, error.object, error.errno]
      : ['start', error instanceof Error ? error.message : String(error), E.EINVAL]
    const line = sys.utf8Encode(`${call}\0${object}\0${errno}`)
    sys.write(report, line, 0, Math.min(line.length, 4096))
  }
  return sys._exit(127)
}

/**
 * Puts the descriptors in place without one overwriting another that is still needed: each is first
 * duplicated above all places, close-on-exec, then put down. Everything between is closed, and what is open above is
 * not handed on: whoever started this process may have left it descriptors that nobody here knows of.
 */
function placeDescriptors(options: SpawnOptions, nothing: number): void {
  const wanted = [...options.stdio, ...options.pass ?? []]
  const lifted = wanted.map(fd => lift(fd === 'null' ? nothing : fd))
  lifted.forEach((fd, place) => check('dup3', `${place}`, sys.dup3(fd, place, 0)))
  check('close_range', `${wanted.length}–${aboveAll - 1}`, sys.closeRange(wanted.length, aboveAll - 1, 0))
  check('close_range', `${aboveAll} and above`, sys.closeRange(aboveAll, lastFd, CLOSE_RANGE_CLOEXEC))
}

function lift(fd: number): number {
  return check('fcntl', 'F_DUPFD_CLOEXEC', sys.fcntl(fd, F_DUPFD_CLOEXEC, aboveAll))
}
