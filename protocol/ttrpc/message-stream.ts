import { decode, type MessageType } from '../message.ts'
import { Queue } from './queue.ts'

/** What may wait unread on one stream: two messages of the greatest size. */
const waitingBytesMax = 8 << 20

/**
 * The messages that arrive on a stream, decoded as they are read. The peer cannot be made to wait (ttrpc has no flow
 * control), so a stream that is read too slowly fails with ResourceExhausted.
 */
export class MessageStream<T> implements AsyncIterableIterator<T, undefined> {
  readonly #payloads = new Queue<Uint8Array>({ sizeBytes: payload => payload.length, sizeBytesMax: waitingBytesMax })

  /** `onReturn` is called when the reader leaves before the end. */
  constructor(private readonly type: MessageType<object>, onReturn?: () => void) {
    this.#payloads.onReturn = onReturn
  }

  /** False when the stream has ended, or fails because too much waits: nothing more is taken then. */
  push(payload: Uint8Array): boolean {
    // A short view would keep alive, uncounted, all of what it was received with.
    return this.#payloads.push(payload.length * 2 < payload.buffer.byteLength ? payload.slice() : payload)
  }

  end(): void {
    this.#payloads.end()
  }

  fail(error: unknown): void {
    this.#payloads.fail(error)
  }

  async next(): Promise<IteratorResult<T, undefined>> {
    const payload = await this.#payloads.next()
    if (payload.done) return payload
    return { done: false, value: decode(this.type, payload.value) as T } // T is what `type` is of: service.ts
  }

  return(): Promise<IteratorResult<T, undefined>> {
    return this.#payloads.return().then(() => ({ done: true, value: undefined }))
  }

  /** Leaves the stream; what still arrives is dropped. */
  cancel(): void {
    void this.return()
  }

  [Symbol.asyncIterator](): this {
    return this
  }
}
