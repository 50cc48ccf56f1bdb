import { expect, it } from 'vitest'
import type { Timestamp } from './gen/google/protobuf/timestamp.ts'
import { timestamp, timestampToNs } from './timestamp.ts'

it.each<[ns: bigint, message: Timestamp]>([
  [0n, { seconds: 0n, nanos: 0 }],
  [1_700_000_000_123_456_789n, { seconds: 1_700_000_000n, nanos: 123_456_789 }],
  [-1n, { seconds: -1n, nanos: 999_999_999 }],
  [-1_000_000_000n, { seconds: -1n, nanos: 0 }],
])('goes to a message and back (%#)', (ns, message) => {
  expect(timestamp(ns)).toEqual(message)
  expect(timestampToNs(message)).toBe(ns)
})
