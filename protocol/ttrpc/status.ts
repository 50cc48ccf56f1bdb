/** Codes of google.rpc.Status, which ttrpc shares with gRPC (google/rpc/code.proto). */
export const Code = {
  OK: 0,
  Canceled: 1,
  Unknown: 2,
  InvalidArgument: 3,
  DeadlineExceeded: 4,
  NotFound: 5,
  AlreadyExists: 6,
  PermissionDenied: 7,
  ResourceExhausted: 8,
  FailedPrecondition: 9,
  Aborted: 10,
  OutOfRange: 11,
  Unimplemented: 12,
  Internal: 13,
  Unavailable: 14,
  DataLoss: 15,
  Unauthenticated: 16,
} as const

/** A code above, or a number that a peer sent which is none of them. */
export type Code = number

/** The code's name, for logs: `NotFound`, or `code 99`. */
export function codeName(code: Code): string {
  return Object.entries(Code).find(([, value]) => value === code)?.[0] ?? `code ${code}`
}

/** Every failure of a call, on both sides: what a Status says, with the cause where it arose here. */
export class RpcError extends Error {
  override readonly name: string = 'RpcError'

  constructor(readonly code: Code, message: string, options?: ErrorOptions) {
    super(message, options)
  }
}

/** What the peer answered, code and words alike, in contrast to what happened to the call on this side. */
export class RemoteError extends RpcError {
  override readonly name: string = 'RemoteError'
}
