import { isErrno, E } from '../native/ts/errno.ts'
import { Fault, story } from '../native/ts/fault.ts'
import { Code, RpcError } from '../protocol/ttrpc/status.ts'

/** A request that cannot be done as things are, with the status it is answered with. */
export class Refusal extends Fault {
  override readonly name: string = 'Refusal'

  constructor(readonly code: Code, what: string, options: { fix?: string; cause?: unknown } = {}) {
    super(what, options)
  }
}

export const notFound = (what: string): Refusal => new Refusal(Code.NotFound, what)
export const alreadyExists = (what: string): Refusal => new Refusal(Code.AlreadyExists, what)
export const wrongState = (what: string): Refusal => new Refusal(Code.FailedPrecondition, what)
export const invalid = (what: string): Refusal => new Refusal(Code.InvalidArgument, what)

/** What any failure is answered with: the whole chain of causes in one line, for there is no other place to look. */
export function toRpcError(error: unknown): RpcError {
  return new RpcError(codeOf(error), story(error), { cause: error })
}

/** Of the first error in the chain that has one: what wraps a refusal only says where it came from. */
function codeOf(error: unknown): Code {
  for (let at = error; at instanceof Error; at = at.cause) {
    if (at instanceof Refusal) return at.code
    // By its name: the class comes with all of the OCI documents' checks, which are loaded later.
    if (at.name === 'SpecError') return Code.InvalidArgument
    if (isErrno(at, E.ENOMEM, E.ENOSPC, E.EMFILE, E.ENFILE)) return Code.ResourceExhausted
  }
  return Code.Unknown
}
