import * as sys from 'native:sys'
import { realtimeNs } from '../../native/ts/clock.ts'
import { exitOf } from '../../native/ts/child.ts'
import { SIGCHLD } from '../../native/ts/constants/signal.ts'
import { P_ALL, WEXITED, WNOHANG } from '../../native/ts/constants/wait.ts'
import { E, SysError } from '../../native/ts/errno.ts'
import { Signals } from '../../native/ts/signals.ts'

/** How a process ended, and when it was reaped (CLOCK_REALTIME). */
export interface Reaped {
  /** 0–255; 128 + signal. */
  status: number
  atNs: bigint
}

/**
 * Reaps every child of this process: those it made, and the orphans that fall to PID 1. Who made a process claims
 * its exit by pid; exits that nobody claims are forgotten.
 *
 * A process can end before its maker knows its pid. So exits are kept while a birth is under way: claim() inside it
 * finds them.
 */
export class Reaper {
  readonly #claims = new Map<number, (exit: Reaped) => void>()
  readonly #unclaimed = new Map<number, Reaped>()
  #births = 0
  readonly #signals: Signals

  /** Throws SysError. SIGCHLD is blocked from here on and arrives as an event of the loop. `reaped` is called after each that was claimed. */
  constructor(private readonly reaped: () => void = () => {}) {
    this.#signals = new Signals([SIGCHLD])
    this.#signals.onSignal(() => this.reap())
  }

  /** Runs `make`, which starts processes and claims them before it is done. */
  async birth<T>(make: () => Promise<T>): Promise<T> {
    this.#births++
    try {
      return await make()
    } finally {
      if (--this.#births === 0) this.#unclaimed.clear()
    }
  }

  /** `told` is called once with the exit of `pid`: within this call if it was reaped during the birth under way. */
  claim(pid: number, told: (exit: Reaped) => void): void {
    const early = this.#unclaimed.get(pid)
    if (early) {
      this.#unclaimed.delete(pid)
      told(early)
    } else this.#claims.set(pid, told)
  }

  /** Reaps all that are dead. One SIGCHLD may stand for many of them (signal(7)). */
  reap(): void {
    for (;;) {
      const dead = sys.waitid(P_ALL, 0, WEXITED | WNOHANG)
      if (dead === null || dead === -E.ECHILD) return
      if (typeof dead === 'number') throw new SysError('waitid', 'any child', -dead)
      this.#dispatch(dead.pid, { status: exitOf(dead).status, atNs: realtimeNs() })
    }
  }

  close(): void {
    this.#signals.close()
  }

  #dispatch(pid: number, exit: Reaped): void {
    const told = this.#claims.get(pid)
    if (told) {
      this.#claims.delete(pid)
      told(exit)
      this.reaped()
    } else if (this.#births > 0) this.#unclaimed.set(pid, exit)
  }
}
