import { Request, Response } from '../gen/ttrpc.ts'
import { encode } from '../message.ts'
import { encodeMetadata } from './metadata.ts'
import type { CallOptions } from './service.ts'
import { Code, RemoteError, type RpcError } from './status.ts'

const nanosPerMs = 1_000_000
const nothing = new Uint8Array(0)
const noMetadata: [] = []

/** What a request frame carries. */
export function encodeRequest(service: string, method: string, payload: Uint8Array, options: CallOptions): Uint8Array {
  const { timeoutMs, metadata } = options
  return Request.encode({
    service,
    method,
    payload,
    // 0 would mean no limit.
    timeoutNano: timeoutMs === undefined ? 0n : BigInt(Math.max(1, Math.round(timeoutMs * nanosPerMs))),
    metadata: metadata ? encodeMetadata(metadata) : noMetadata,
  }).finish()
}

/** The limit that a request tells; a negative one has passed already. */
export function timeoutOf(request: Request): number | undefined {
  return request.timeoutNano === 0n ? undefined : Math.max(0, Number(request.timeoutNano) / nanosPerMs)
}

/** What the response frame of a success carries. */
export function encodeAnswer(payload: Uint8Array): Uint8Array {
  return Response.encode({ status: undefined, payload }).finish()
}

/** Longer messages are cut: an error must fit a frame, whatever a handler put into it. */
const messageCharsMax = 16 * 1024

/** What the response frame of a failure carries. */
export function encodeFailure(error: RpcError): Uint8Array {
  // A code of 0 would tell of a success.
  const code = error.code === Code.OK ? Code.Unknown : error.code
  return encode(Response, { status: { code, message: error.message.slice(0, messageCharsMax), details: [] }, payload: nothing })
}

/** The failure that a response tells of; undefined: none. */
export function failureOf(response: Response): RpcError | undefined {
  const { status } = response
  return status === undefined || status.code === Code.OK ? undefined : new RemoteError(status.code, status.message)
}
