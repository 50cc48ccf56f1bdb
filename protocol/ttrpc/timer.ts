/** Calls back once after `delayMs`; the result cancels that. Injected so that tests own the time. */
export type StartTimer = (delayMs: number, callback: () => void) => () => void

/** The longest delay that timers hold (2^31-1 ms, 24 days); a call allowed longer is not limited. */
const delayMsMax = 2 ** 31 - 1

/** By the global setTimeout, which native/ts/prelude.ts provides. */
export const globalTimer: StartTimer = (delayMs, callback) => {
  if (delayMs > delayMsMax) return () => {}
  const timer = setTimeout(callback, Math.max(0, delayMs))
  return () => clearTimeout(timer)
}
