import * as sys from 'native:sys'
import { CLOCK_REALTIME } from '../../native/ts/constants/clock.ts'
import { check } from '../../native/ts/errno.ts'
import { invalid } from '../refusal.ts'

/** 2020-01-01T00:00:00Z: a host clock before that is not set. */
const earliestNs = 1_577_836_800_000_000_000n
/** 2^63: the largest time the kernel takes. */
const latestNs = 9_223_372_036_854_775_807n

/** Sets the guest's wall clock to the host's. Throws Refusal for a time that cannot be. */
export function setClock(realtimeNs: bigint): void {
  if (realtimeNs < earliestNs || realtimeNs > latestNs) throw invalid(`realtime_ns ${realtimeNs} is no time of today`)
  check('clock_settime', 'CLOCK_REALTIME', sys.clockSettime(CLOCK_REALTIME, realtimeNs))
}
