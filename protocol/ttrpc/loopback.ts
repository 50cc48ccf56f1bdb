import type { Connection } from './transport.ts'

/** How an end delivers what the other wrote: whole, or cut into pieces. */
export type Cut = (bytes: Uint8Array) => Uint8Array[]

/** One end of a connection in memory, for specs. Delivery is in a microtask of its own, as from a socket. */
export class LoopbackEnd implements Connection {
  peer: LoopbackEnd | undefined
  /** Everything written to this end. */
  readonly written: Uint8Array[] = []
  isClosed = false
  #data: (bytes: Uint8Array) => void = () => {}
  #closed: (error: Error | undefined) => void = () => {}

  constructor(private readonly cut: Cut) {}

  onData(receive: (bytes: Uint8Array) => void): void {
    this.#data = receive
  }

  onClose(closed: (error: Error | undefined) => void): void {
    this.#closed = closed
  }

  write(bytes: Uint8Array): void {
    if (this.isClosed) return
    this.written.push(bytes)
    for (const piece of this.cut(bytes)) queueMicrotask(() => this.peer?.deliver(piece))
  }

  deliver(bytes: Uint8Array): void {
    if (!this.isClosed) this.#data(bytes)
  }

  close(): void {
    this.fail(undefined)
  }

  /** Ends both ends; this one's owner is told `error`. */
  fail(error: Error | undefined): void {
    if (this.isClosed) return
    this.isClosed = true
    this.#closed(error)
    queueMicrotask(() => this.peer?.fail(undefined))
  }
}

/** Two ends of one connection. */
export function loopback(cut: Cut = bytes => [bytes]): [LoopbackEnd, LoopbackEnd] {
  const ends: [LoopbackEnd, LoopbackEnd] = [new LoopbackEnd(cut), new LoopbackEnd(cut)]
  ends[0].peer = ends[1]
  ends[1].peer = ends[0]
  return ends
}

/** Each byte for itself: the hardest way to receive. */
export const byteByByte: Cut = bytes => Array.from(bytes, byte => Uint8Array.of(byte))
