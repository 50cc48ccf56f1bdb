import { monotonicMs } from '../native/ts/clock.ts'
import type { Log } from './log.ts'

/** Phases of a start, in their usual order; each mark says when the phase was reached. */
export type Phase = 'exec' | 'network' | 'vmm' | 'qmp' | 'kernel' | 'agent' | 'sandbox' | 'rootfs' | 'create' | 'start'

/** When each phase of a start-up was reached: logged as one line, read by hack/bench. */
export class Timeline {
  readonly #marks = new Map<Phase, number>()
  #told = false

  /** `startMs`: CLOCK_MONOTONIC in milliseconds of the first mark, `exec`. */
  constructor(readonly startMs: number = monotonicMs()) {
    this.#marks.set('exec', startMs)
  }

  /** Notes that `phase` is reached now (or at `atMs`, CLOCK_MONOTONIC). The first mark of a phase counts. */
  mark(phase: Phase, atMs: number = monotonicMs()): void {
    if (!this.#marks.has(phase)) this.#marks.set(phase, atMs)
  }

  /** Milliseconds from `exec`, with two decimals, in the order of time. */
  phases(): Record<string, number> {
    const sorted = [...this.#marks].sort(([, a], [, b]) => a - b)
    return Object.fromEntries(sorted.map(([phase, atMs]) => [phase, Math.round((atMs - this.startMs) * 100) / 100]))
  }

  /** Logs the phases once: `{"msg":"timeline","startMs":…,"phases":{"exec":0,"vmm":…}}`. */
  report(log: Log): void {
    if (this.#told) return
    this.#told = true
    log.info('timeline', { startMs: this.startMs, phases: this.phases() })
  }
}
