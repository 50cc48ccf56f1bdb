import type { Fd } from '../../native/ts/fd.ts'
import { Pump } from '../../native/ts/pump.ts'
import { closeAfterPeer } from './linger.ts'
import type { Expected } from './streams.ts'

/**
 * stdin of a process, from the host. Its end is told by CloseStdin with the byte count, never by the connection;
 * but a connection that does end takes the input with it, as no byte can follow.
 */
export class Input {
  #pump: Pump | undefined
  #total: number | undefined
  #closed = false

  /** Takes ownership of `sink`: the pipe's write end, or a duplicate of the pty's master. */
  constructor(readonly what: string, private readonly sink: Fd, private readonly expected: Expected) {
    expected.onConnection(connection => this.#start(connection))
  }

  /** The process sees end of file after `bytes` bytes in all. The first call counts. */
  endAfter(bytes: bigint): void {
    if (this.#closed || this.#total !== undefined) return
    this.#total = Number(bytes)
    this.#pump?.setTotal(this.#total)
    // An empty input whose connection is not there yet has ended nonetheless.
    if (!this.#pump && this.#total === 0) this.sink.close()
  }

  /** Ends the input where it is. Idempotent. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.expected.cancel()
    if (this.#pump) this.#pump.stop()
    else this.sink.close()
  }

  #start(connection: Fd): void {
    if (!this.sink.open) {
      closeAfterPeer(connection)
      return
    }
    // A process that reads no more must not make its client's writes block: they are discarded.
    const pump = new Pump(this.what, { source: connection.number, sink: this.sink.number, discardOnSinkError: true })
    this.#pump = pump
    if (this.#total !== undefined) pump.setTotal(this.#total)
    void pump.ended.then(() => {
      this.#closed = true
      this.sink.close()
      closeAfterPeer(connection)
    })
  }
}
