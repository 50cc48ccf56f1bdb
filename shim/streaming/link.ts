import { isAny, packAny, unpackAny } from '../../protocol/any.ts'
import type { Any } from '../../protocol/gen/google/protobuf/any.ts'
import { StreamInit } from '../../protocol/gen/streaming.ts'
import { Data, WindowUpdate } from '../../protocol/gen/transfer.ts'
import { Queue } from '../../protocol/ttrpc/queue.ts'

/** What came from the other end of a stream. */
export type Incoming = { is: 'data'; bytes: Uint8Array } | { is: 'window'; bytes: number }

/** A sender that grants itself no more than this has nothing to gain from more: it bounds a mistake. */
const maxWindowBytes = 16 << 20

/**
 * One call of the streaming service, as containerd makes it for one stream of a process:
 *
 *   containerd                         shim
 *     │ ── StreamInit{id} ────────────▶ │
 *     │ ◀──────────────────── (ack) ─── │
 *   output: ── WindowUpdate ──────────▶ │     input: ◀──── WindowUpdate ── │
 *           ◀─────────────────── Data ─ │            ── Data ────────────▶ │
 *           ◀──────────────── the end ─ │            ── the end ─────────▶ │
 *
 * The call ends when containerd does; the next one, of a containerd that has started again, names the same id.
 */
export class Link {
  readonly #out = new Queue<Any>()
  #open = true

  private constructor(private readonly requests: AsyncIterator<Any>) {
    this.#out.onReturn = () => { this.#open = false }
  }

  /** Begins a call: `init` is given the id once it is told, and the link from then on. */
  static open(requests: AsyncIterable<Any>, init: (id: string, link: Link) => void): AsyncIterable<Any> {
    const iterator = requests[Symbol.asyncIterator]()
    const link = new Link(iterator)
    iterator.next().then(first => {
      if (first.done || !isAny(first.value, 'containerd.services.streaming.v1.StreamInit')) throw new Error('a stream begins with StreamInit')
      const { id } = unpackAny(StreamInit, first.value)
      link.#out.push({ typeUrl: 'google.protobuf.Empty', value: new Uint8Array(0) })
      init(id, link)
    }).catch((error: unknown) => link.#out.fail(error))
    return link.#out
  }

  get isOpen(): boolean {
    return this.#open
  }

  /** False when the call has ended. */
  sendData(bytes: Uint8Array): boolean {
    return this.#open && this.#out.push(packAny('containerd.types.transfer.Data', Data, { data: bytes }))
  }

  /** Lets the other end send so many bytes more. */
  sendWindow(bytes: number): boolean {
    return this.#open && this.#out.push(packAny('containerd.types.transfer.WindowUpdate', WindowUpdate, { update: bytes }))
  }

  /** Ends the call: the other end sees the end of the stream. */
  end(): void {
    this.#open = false
    this.#out.end()
  }

  /** The next message that means something; undefined when there are no more. Does not reject. */
  async next(): Promise<Incoming | undefined> {
    for (;;) {
      const message = await this.requests.next().catch(() => undefined)
      if (!message || message.done) {
        this.#open = false
        return undefined
      }
      const { value } = message
      if (isAny(value, 'containerd.types.transfer.Data')) return { is: 'data', bytes: unpackAny(Data, value).data }
      if (isAny(value, 'containerd.types.transfer.WindowUpdate')) {
        const { update } = unpackAny(WindowUpdate, value)
        if (update > 0) return { is: 'window', bytes: Math.min(update, maxWindowBytes) }
      }
    }
  }
}
