import { monotonicMs } from '../../native/ts/clock.ts'

/** Lets so many things a second pass and counts the others: what a hostile guest sends must not fill the host. */
export class RateLimit {
  #windowStartMs = -Infinity
  #passed = 0
  #held = 0

  constructor(private readonly perSecond: number) {}

  /** Whether one more may pass now. */
  allows(nowMs: number = monotonicMs()): boolean {
    if (nowMs - this.#windowStartMs >= 1000) {
      this.#windowStartMs = nowMs
      this.#passed = 0
    }
    if (this.#passed >= this.perSecond) {
      this.#held++
      return false
    }
    this.#passed++
    return true
  }

  /** How many were held back since the last call. */
  takeHeld(): number {
    const held = this.#held
    this.#held = 0
    return held
  }
}
