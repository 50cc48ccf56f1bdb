import { Fault } from '../native/ts/fault.ts'

/** Why a request is refused, in the words of containerd's error classes (errdefs). */
export type RefusalKind = 'not-found' | 'already-exists' | 'precondition' | 'invalid' | 'unimplemented' | 'unavailable'

/** A request that cannot be served as it stands; the service files give `kind` its status code. */
export class Refusal extends Fault {
  override readonly name: string = 'Refusal'

  constructor(readonly kind: RefusalKind, what: string, options: { fix?: string; cause?: unknown } = {}) {
    super(what, options)
  }
}
