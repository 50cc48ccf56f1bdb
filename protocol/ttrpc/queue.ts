import { Code, RpcError } from './status.ts'

/** How the items end. */
type State = { is: 'open' } | { is: 'ended' } | { is: 'failed'; error: unknown }

/** A consumer's next() that waits for an item. */
interface Waiter<T> {
  resolve(result: IteratorResult<T, undefined>): void
  reject(error: unknown): void
}

/** Bounds a queue whose producer cannot be made to wait. */
interface Limit<T> {
  /** What an item counts for. */
  sizeBytes(item: T): number
  sizeBytesMax: number
}

/** What each item counts for besides its size, so that empty ones are bounded too. */
const itemBytes = 64

/** Items pushed on one side, iterated on the other, in order. One consumer. */
export class Queue<T> implements AsyncIterableIterator<T, undefined> {
  #state: State = { is: 'open' }
  #items: T[] = []
  #taken = 0
  #sizeBytes = 0
  readonly #waiters: Waiter<T>[] = []
  /** Called once when the consumer leaves before the end. */
  onReturn: (() => void) | undefined

  /** Over its limit, the queue drops what it holds and fails with ResourceExhausted. */
  constructor(private readonly limit?: Limit<T>) {}

  get length(): number {
    return this.#items.length - this.#taken
  }

  /** Adds `item`; false when the queue has ended, and the item is dropped. */
  push(item: T): boolean {
    if (this.#state.is !== 'open') return false
    const waiter = this.#waiters.shift()
    if (waiter) {
      waiter.resolve({ done: false, value: item })
      return true
    }
    this.#items.push(item)
    this.#sizeBytes += this.#sizeOf(item)
    if (this.limit === undefined || this.#sizeBytes <= this.limit.sizeBytesMax) return true
    this.#clear()
    this.fail(new RpcError(Code.ResourceExhausted, `more than ${this.limit.sizeBytesMax} bytes wait to be read from a stream`))
    return false
  }

  /** No more items: the consumer gets those there are, then the end. */
  end(): void {
    if (this.#state.is !== 'open') return
    this.#state = { is: 'ended' }
    for (const waiter of this.#waiters.splice(0)) waiter.resolve({ done: true, value: undefined })
  }

  /** As end(), but what the consumer then gets is `error`. */
  fail(error: unknown): void {
    if (this.#state.is !== 'open') return
    this.#state = { is: 'failed', error }
    for (const waiter of this.#waiters.splice(0)) waiter.reject(error)
  }

  next(): Promise<IteratorResult<T, undefined>> {
    if (this.#taken < this.#items.length) return Promise.resolve({ done: false, value: this.#take() })
    if (this.#state.is === 'ended') return Promise.resolve({ done: true, value: undefined })
    if (this.#state.is === 'failed') return Promise.reject(this.#state.error)
    return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }))
  }

  /** The consumer wants no more. */
  return(): Promise<IteratorResult<T, undefined>> {
    const wasOpen = this.#state.is === 'open'
    this.end()
    this.#clear()
    if (wasOpen) this.onReturn?.()
    return Promise.resolve({ done: true, value: undefined })
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  #take(): T {
    const item = this.#items[this.#taken++] as T // there is one: #taken is below the length
    this.#sizeBytes -= this.#sizeOf(item)
    if (this.#taken === this.#items.length) this.#clear()
    // Shifting each item would move all the others; cutting now and then costs one move for each in the end.
    else if (this.#taken >= 1024 && this.#taken * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#taken)
      this.#taken = 0
    }
    return item
  }

  #clear(): void {
    this.#items = []
    this.#taken = 0
    this.#sizeBytes = 0
  }

  #sizeOf(item: T): number {
    return this.limit ? itemBytes + this.limit.sizeBytes(item) : 0
  }
}
