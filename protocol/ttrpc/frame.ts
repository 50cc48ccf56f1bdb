/**
 * ttrpc's frame (ttrpc PROTOCOL.md, "Message Frame"), big-endian:
 *
 *   0         4          8      9       10
 *   ┌─────────┬──────────┬──────┬───────┬───────────┐
 *   │ length  │ stream   │ type │ flags │ data …    │   length counts data only
 *   └─────────┴──────────┴──────┴───────┴───────────┘
 */
import { Code, RpcError } from './status.ts'

export const headerBytes = 10

/** Longer data is refused on both sides; a receiver skips it and goes on. */
export const dataBytesMax = 4 << 20

export const MessageType = { request: 1, response: 2, data: 3 } as const

/** Seen from the receiver: "remote" is the sender. */
export const Flag = {
  /** The sender sends no more on this stream. */
  remoteClosed: 0x01,
  /** In a request: the sender will send data. */
  remoteOpen: 0x02,
  /** The frame carries no message, not even an empty one. */
  noData: 0x04,
} as const

export interface Frame {
  streamId: number
  /** One of MessageType; others must be ignored. */
  type: number
  flags: number
  /** Shares memory with what was received. */
  data: Uint8Array
}

/** The frame's bytes. Throws RpcError(ResourceExhausted) when `data` is longer than a frame carries. */
export function encodeFrame(streamId: number, type: number, flags: number, data: Uint8Array): Uint8Array {
  if (data.length > dataBytesMax) throw oversize(data.length)
  const frame = new Uint8Array(headerBytes + data.length)
  const view = new DataView(frame.buffer)
  view.setUint32(0, data.length)
  view.setUint32(4, streamId)
  frame[8] = type
  frame[9] = flags
  frame.set(data, headerBytes)
  return frame
}

/** In Go ttrpc's words, which clients may look for. */
export function oversize(lengthBytes: number, maxBytes = dataBytesMax): RpcError {
  return new RpcError(Code.ResourceExhausted, `message length ${lengthBytes} exceed maximum message size of ${maxBytes}`)
}
