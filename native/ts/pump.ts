import * as sys from 'native:sys'
import { check } from './errno.ts'

export interface PumpPlan {
  /** Borrowed until `ended`. */
  source: number
  /** Borrowed until `ended`. */
  sink: number
  /** Stop after this many bytes; default: at end of file. */
  totalBytes?: number
  /** Largest single write; default 64 KiB. */
  chunkBytes?: number
  shutdownSink?: boolean
  /** Go on reading and discard once the sink is gone, so that the writer never blocks. */
  discardOnSinkError?: boolean
}

/** Bytes on their way from one descriptor to another, moved natively; JavaScript only learns of the end. */
export class Pump {
  #id = 0
  #delivered = 0
  readonly ended: Promise<sys.PumpEnd>

  /** Throws SysError when the pump cannot start. */
  constructor(what: string, plan: PumpPlan) {
    let settle: (end: sys.PumpEnd) => void
    this.ended = new Promise(resolve => { settle = resolve })
    this.#id = check('pump', what, sys.pumpStart({
      source: plan.source,
      sink: plan.sink,
      totalBytes: plan.totalBytes ?? -1,
      chunkBytes: plan.chunkBytes ?? 64 * 1024,
      shutdownSink: plan.shutdownSink ?? false,
      discardOnSinkError: plan.discardOnSinkError ?? false,
    }, end => {
      this.#id = 0
      this.#delivered = end.bytes
      settle(end)
    }))
  }

  /** Bytes delivered so far. */
  get bytes(): number {
    return this.#id === 0 ? this.#delivered : sys.pumpBytes(this.#id)
  }

  /** Ends the pump when `totalBytes` were delivered, which may be now. No effect once it ended. */
  setTotal(totalBytes: number): void {
    if (this.#id !== 0) check('pump total', String(totalBytes), sys.pumpSetTotal(this.#id, totalBytes))
  }

  /** Stops now; `ended` resolves with reason `stopped`. No effect once it ended. */
  stop(): void {
    if (this.#id !== 0) sys.pumpStop(this.#id)
  }

  [Symbol.dispose](): void {
    this.stop()
  }
}
