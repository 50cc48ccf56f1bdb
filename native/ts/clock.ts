import * as sys from 'native:sys'
import { CLOCK_REALTIME } from './constants/clock.ts'
import { Fault } from './fault.ts'

/** CLOCK_MONOTONIC in milliseconds with fractions. */
export function monotonicMs(): number {
  return sys.monotonicMs()
}

/** CLOCK_REALTIME in nanoseconds. */
export function realtimeNs(): bigint {
  return sys.clockGettime(CLOCK_REALTIME)
}

/** Resolves after `delayMs`. */
export function sleep(delayMs: number): Promise<void> {
  return new Promise(resolve => void sys.setTimer(delayMs, resolve))
}

/** `promise`, or a Fault «<what> took longer than <n> ms» when it is not settled by then. The work itself goes on. */
export function within<T>(promise: Promise<T>, limitMs: number, what: string, fix?: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = sys.setTimer(limitMs, () =>
      reject(new Fault(`${what} took longer than ${limitMs} ms`, fix === undefined ? {} : { fix })))
    promise.then(
      value => { sys.clearTimer(timer); resolve(value) },
      (error: unknown) => { sys.clearTimer(timer); reject(error) },
    )
  })
}
