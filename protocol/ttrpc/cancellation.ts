import { Code, RpcError } from './status.ts'

/** Tells whoever works on a call that its result is no longer wanted. QuickJS has no AbortSignal. */
export interface Cancellation {
  /** Why; undefined while the result is wanted. */
  readonly reason: RpcError | undefined
  /** Calls back once, at once if it has happened already. The result unsubscribes. */
  onCancel(callback: (reason: RpcError) => void): () => void
  throwIfCancelled(): void
}

/** The side that cancels. */
export class CancellationSource implements Cancellation {
  #reason: RpcError | undefined
  #callbacks: Set<(reason: RpcError) => void> | undefined

  /** What to hand to those who only listen. */
  get token(): Cancellation {
    return this
  }

  get reason(): RpcError | undefined {
    return this.#reason
  }

  /** The first reason stays. */
  cancel(reason = new RpcError(Code.Canceled, 'canceled')): void {
    if (this.#reason !== undefined) return
    this.#reason = reason
    const callbacks = this.#callbacks
    this.#callbacks = undefined
    for (const callback of callbacks ?? []) callback(reason)
  }

  onCancel(callback: (reason: RpcError) => void): () => void {
    if (this.#reason !== undefined) {
      callback(this.#reason)
      return () => {}
    }
    const callbacks = (this.#callbacks ??= new Set())
    callbacks.add(callback)
    return () => callbacks.delete(callback)
  }

  throwIfCancelled(): void {
    if (this.#reason !== undefined) throw this.#reason
  }
}

/** As `promise`, but rejects with the reason as soon as `cancellation` happens. */
export function untilCancelled<T>(promise: Promise<T>, cancellation: Cancellation): Promise<T> {
  return new Promise((resolve, reject) => {
    const unsubscribe = cancellation.onCancel(reject)
    void promise.then(resolve, reject).then(unsubscribe)
  })
}
