import type { Timestamp } from './gen/google/protobuf/timestamp.ts'

const nanosPerSecond = 1_000_000_000n

/** A point in time as messages carry it. `realtimeNs`: nanoseconds since the epoch, CLOCK_REALTIME. */
export function timestamp(realtimeNs: bigint): Timestamp {
  // Nanos count forward even before the epoch, where BigInt division would round towards zero.
  const nanos = ((realtimeNs % nanosPerSecond) + nanosPerSecond) % nanosPerSecond
  return { seconds: (realtimeNs - nanos) / nanosPerSecond, nanos: Number(nanos) }
}

/** Nanoseconds since the epoch. */
export function timestampToNs({ seconds, nanos }: Timestamp): bigint {
  return seconds * nanosPerSecond + BigInt(nanos)
}
