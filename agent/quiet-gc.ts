import * as sys from 'native:sys'
import { readTextIfPresent } from '../native/ts/file.ts'
import type { Log } from './log.ts'

/** Long enough that no start or exec of a burst waits for a collection, short enough that an idle pod is a small one. */
const quietMs = 1_000

/**
 * Collects garbage when the agent has become quiet. Each process leaves some 10 KB in cycles (promises, callbacks),
 * which the engine would only look at when the heap has grown by half. What is left then is told at level debug: nobody
 * outside can look into the guest, and hack/bench wants to know.
 */
export class QuietGc {
  #timer = 0

  constructor(private readonly log: Log) {}

  /** Something ended that leaves garbage: the wait begins anew. */
  readonly touch = (): void => {
    if (this.#timer !== 0) sys.clearTimer(this.#timer)
    this.#timer = sys.setTimer(quietMs, () => {
      this.#timer = 0
      sys.gc()
      if (this.log.enabled('debug')) this.log.debug('agent memory', { pssKib: pssKib() })
    })
  }
}

/** Proportional set size of this process (proc_pid_smaps_rollup(5)); 0 where the kernel does not tell. */
function pssKib(): number {
  return Number(/^Pss:\s+(\d+) kB$/m.exec(readTextIfPresent('/proc/self/smaps_rollup', 4096) ?? '')?.[1] ?? 0)
}
