/** Releases that are owed, in the order they will be paid: last in, first out. */
export class Owner {
  #debts: { what: string; release: () => void | Promise<void> }[] = []

  /** Owns a disposable from now on; gives it back. */
  own<T extends Disposable>(what: string, thing: T): T {
    this.#debts.push({ what, release: () => thing[Symbol.dispose]() })
    return thing
  }

  /** Owes `release`, named `what` in the error should it fail. */
  defer(what: string, release: () => void | Promise<void>): void {
    this.#debts.push({ what, release })
  }

  /** Hands everything owed to a new owner: what a function does at its successful end. */
  move(): Owner {
    const next = new Owner()
    next.#debts = this.#debts
    this.#debts = []
    return next
  }

  get owes(): readonly string[] {
    return this.#debts.map(debt => debt.what)
  }

  /**
   * Pays everything, last in first out, one after the other; a failure does not stop the rest.
   * Throws the one error, or an AggregateError of several, with `what` in front.
   */
  async release(): Promise<void> {
    const errors: Error[] = []
    for (let debt = this.#debts.pop(); debt; debt = this.#debts.pop()) {
      try {
        await debt.release()
      } catch (cause) {
        errors.push(new Error(`release ${debt.what}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause }))
      }
    }
    const [first] = errors
    if (errors.length > 1) throw new AggregateError(errors, `${errors.length} releases failed: ${errors.map(e => e.message).join('; ')}`)
    if (first) throw first
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release()
  }
}
