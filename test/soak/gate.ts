/** Steps of one container go on beside those of others; a fault of the whole node waits until none is in the middle of a call. */
export class Gate {
  #passing = 0
  #closed = false
  readonly #waiting: (() => void)[] = []

  async shared<Result>(step: () => Promise<Result>): Promise<Result> {
    while (this.#closed) await this.#change()
    this.#passing++
    try { return await step() } finally {
      this.#passing--
      this.#wake()
    }
  }

  async exclusive<Result>(step: () => Promise<Result>): Promise<Result> {
    while (this.#closed) await this.#change()
    this.#closed = true
    try {
      while (this.#passing > 0) await this.#change()
      return await step()
    } finally {
      this.#closed = false
      this.#wake()
    }
  }

  #change(): Promise<void> { return new Promise((resolve) => this.#waiting.push(resolve)) }
  #wake(): void { for (const resolve of this.#waiting.splice(0)) resolve() }
}
