import * as sys from 'native:sys'
import { CLOCK_BOOTTIME } from '../native/ts/constants/clock.ts'

/** CLOCK_BOOTTIME nanoseconds when the agent's first line ran: main.ts imports this file before all others. */
export const agentStartNs = sys.clockGettime(CLOCK_BOOTTIME)

/** CLOCK_BOOTTIME in nanoseconds: time since the guest's kernel began, suspended time included. */
export function boottimeNs(): bigint {
  return sys.clockGettime(CLOCK_BOOTTIME)
}
