import * as sys from 'native:sys'

/** Long enough that no start or exec of a burst waits for a collection, short enough that an idle pod is a small one. */
const quietMs = 1_000

/**
 * Collects garbage when the agent has become quiet. Each process leaves some 10 KB in cycles (promises, callbacks),
 * which the engine would only look at when the heap has grown by half.
 */
export class QuietGc {
  #timer = 0

  /** Something ended that leaves garbage: the wait begins anew. */
  readonly touch = (): void => {
    if (this.#timer !== 0) sys.clearTimer(this.#timer)
    this.#timer = sys.setTimer(quietMs, () => {
      this.#timer = 0
      sys.gc()
    })
  }
}
