import { monotonicMs } from '../../native/ts/clock.ts'

/**
 * Lets `burst` at once and `perSecond` on average pass, of lines, bytes or what else the guest can make of its own will, and counts
 * the others: what a hostile guest sends must not fill the host, neither at once nor over days.
 */
export class RateLimit {
  #left: number
  #countedMs = -Infinity
  #held = 0

  constructor(private readonly perSecond: number, private readonly burst = perSecond) {
    this.#left = burst
  }

  /** Whether a thing of this size may pass now. */
  allows(size = 1, nowMs: number = monotonicMs()): boolean {
    this.#left = Math.min(this.burst, this.#left + Math.max(0, nowMs - this.#countedMs) / 1000 * this.perSecond)
    this.#countedMs = nowMs
    if (size > this.#left) {
      this.#held++
      return false
    }
    this.#left -= size
    return true
  }

  /** How many things were held back since the last call. */
  takeHeld(): number {
    const held = this.#held
    this.#held = 0
    return held
  }
}
