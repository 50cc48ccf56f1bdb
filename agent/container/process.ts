import * as sys from 'native:sys'
import { AT_EMPTY_PATH } from '../../native/ts/constants/fcntl.ts'
import { SIGKILL, signalName } from '../../native/ts/constants/signal.ts'
import { P_PIDFD, WEXITED } from '../../native/ts/constants/wait.ts'
import { check, checked, E, SysError } from '../../native/ts/errno.ts'
import { Fd } from '../../native/ts/fd.ts'
import { readTextIfPresent } from '../../native/ts/file.ts'
import { setWindowSize } from '../../native/ts/pty.ts'
import type { WindowSize } from './options.ts'

/** What /proc/<pid>/stat says of a process (proc(5)). */
export interface ProcessStat {
  /** R, S, D, T, Z, X … */
  state: string
  /** Clock ticks after boot at which it started: with the pid the identity of a process, but for one that is born in the same tick (10 ms). */
  startTime: string
}

/** undefined when there is no such process. */
export function processStat(pid: number): ProcessStat | undefined {
  const text = readStat(pid)
  if (text === undefined) return undefined
  // The command name is in parentheses and may hold anything, parentheses too: fields count from the last one.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return { state: fields[0] ?? '?', startTime: fields[19] ?? '' }
}

function readStat(pid: number): string | undefined {
  try {
    return readTextIfPresent(`/proc/${pid}/stat`)
  } catch (error) {
    // A process that ends between open(2) and read(2) gives ESRCH.
    if (error instanceof SysError && error.errno === E.ESRCH) return undefined
    throw error
  }
}

/** A process of a container, held by its pidfd: a reused pid is never signalled. */
export class ContainerProcess {
  #terminal: Fd | undefined
  /** The master after it was taken: still good for its size. */
  #taken: Fd | undefined

  /** Takes ownership of `pidfd`. */
  private constructor(readonly pid: number, readonly pidfd: Fd, readonly startTime: string) {}

  /** A child of this process, just cloned. Takes ownership of `pidfd`, and of the process: when this throws, it has been killed. */
  static cloned(pid: number, pidfd: Fd): ContainerProcess {
    try {
      return new ContainerProcess(pid, pidfd, processStat(pid)?.startTime ?? '')
    } catch (error) {
      new ContainerProcess(pid, pidfd, '').destroy()
      throw error
    }
  }

  /**
   * The process that had `pid`, `startTime` and, where it is known, `inode`: when it is gone, one that is not alive and
   * cannot be signalled.
   */
  static find(pid: number, startTime: string, inode?: number): ContainerProcess {
    const opened = sys.pidfdOpen(pid, 0)
    if (opened < 0 && opened !== -E.ESRCH && opened !== -E.EINVAL) check('pidfd_open', `process ${pid}`, opened)
    const pidfd = new Fd(opened, `pidfd of process ${pid}`)
    // Looked at after the pidfd was opened: the pid cannot have gone to another process in between.
    const isIt = opened >= 0 && processStat(pid)?.startTime === startTime && (inode === undefined || inodeOf(pidfd) === inode)
    if (!isIt) pidfd.close()
    // No process has an empty start time: a stranger that was born in the same tick is not alive in its place.
    return new ContainerProcess(pid, pidfd, isIt ? startTime : '')
  }

  /** Of its pidfd, which must be open; see find. Throws SysError. */
  get inode(): number {
    return inodeOf(this.pidfd)
  }

  /** Takes ownership of the process's pty master. */
  giveTerminal(terminal: Fd | undefined): void {
    this.#terminal = terminal
  }

  /** The pty master, which the caller owns from then on; undefined when there is none or it was taken. */
  takeTerminal(): Fd | undefined {
    const terminal = this.#terminal
    this.#taken ??= terminal
    this.#terminal = undefined
    return terminal
  }

  /** Sets the terminal's size; nothing happens without a terminal, or once its taker has closed it. */
  resize(size: WindowSize): void {
    const terminal = this.#terminal ?? this.#taken
    if (terminal?.open) setWindowSize(terminal.number, size)
  }

  /** Sends a signal; false when the process is gone. */
  kill(signal: number): boolean {
    if (!this.pidfd.open) return false
    const sent = sys.pidfdSendSignal(this.pidfd.number, signal)
    if (sent === -E.ESRCH) return false
    check('pidfd_send_signal', `${signalName(signal)} to process ${this.pid}`, sent)
    return true
  }

  /** Whether it runs: neither dead nor waiting to be reaped. */
  alive(): boolean {
    // Who is not reaped keeps the pid from others.
    if (this.pidfd.open && sys.pidfdSendSignal(this.pidfd.number, 0) === -E.ESRCH) return false
    const stat = processStat(this.pid)
    return stat !== undefined && stat.startTime === this.startTime && stat.state !== 'Z' && stat.state !== 'X'
  }

  /** Kills and reaps a process that nobody was told of. Someone else's reaping (ECHILD) is as good. */
  destroy(): void {
    if (this.pidfd.open) {
      this.kill(SIGKILL)
      const reaped = sys.waitid(P_PIDFD, this.pidfd.number, WEXITED)
      if (typeof reaped === 'number' && reaped !== -E.ECHILD) check('waitid', `process ${this.pid}`, reaped)
    }
    this.close()
  }

  /** Closes the descriptors; the process goes on. */
  close(): void {
    this.pidfd.close()
    this.#terminal?.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }
}

/** From Linux 6.9 on each process has one that no other ever has (fs/pidfs.c), before that all have the same. */
function inodeOf(pidfd: Fd): number {
  return checked('statx', pidfd.what, sys.statx(pidfd.number, '', AT_EMPTY_PATH)).ino
}
