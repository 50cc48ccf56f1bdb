import * as sys from 'native:sys'
import { SHUT_WR } from '../../native/ts/constants/socket.ts'
import type { Fd } from '../../native/ts/fd.ts'
import { Pump } from '../../native/ts/pump.ts'
import { closeAfterPeer } from './linger.ts'
import { vsockChunkBytes } from './output.ts'
import type { Expected } from './streams.ts'

/** A host that does not connect the stream in this time has forgotten it. */
const connectLimitMs = 10_000

export interface PortStreamEvents {
  /** All that the server sent is on the stream: this many bytes. */
  sent: (bytes: number) => void
  /** Both directions are over, or the host gave up. Called once. */
  ended: () => void
}

/**
 * A connection to a server in the guest, joined to a stream of the host's. Each direction ends by itself, and its end is told on the
 * control connection with its bytes:
 *
 *   host ── bytes … ── ClosePortInput{n} ──▶ server sees end of file
 *   server's end of file ── StreamEnd{n} ──▶ host
 *
 * A host that closes the stream before it told an end has given up, and so does the server's connection.
 */
export class PortStream {
  #connection: Fd | undefined
  #input: Pump | undefined
  #inputTotal: number | undefined
  #open = 2
  readonly #timer: number

  /** Takes ownership of `server`. */
  constructor(readonly what: string, private readonly server: Fd, private readonly expected: Expected, private readonly events: PortStreamEvents) {
    this.#timer = sys.setTimer(connectLimitMs, () => this.#giveUp())
    this.expected.onConnection(connection => this.#start(connection))
  }

  /** The server sees end of file after `bytes` bytes in all. The first call counts. */
  endInputAfter(bytes: number): void {
    this.#inputTotal ??= bytes
    this.#input?.setTotal(this.#inputTotal)
  }

  #giveUp(): void {
    this.expected.cancel()
    this.server.close()
    this.events.ended()
  }

  #start(connection: Fd): void {
    sys.clearTimer(this.#timer)
    this.#connection = connection
    // A server that reads no more must not block the host's writes.
    const input = this.#input = new Pump(`to ${this.what}`, { source: connection.number, sink: this.server.number, discardOnSinkError: true })
    if (this.#inputTotal !== undefined) input.setTotal(this.#inputTotal)
    const output = new Pump(`from ${this.what}`, { source: this.server.number, sink: connection.number, chunkBytes: vsockChunkBytes, discardOnSinkError: true })
    void input.ended.then(({ reason }) => {
      if (reason === 'total') sys.shutdown(this.server.number, SHUT_WR)
      else output.stop()
      this.#ended()
    })
    void output.ended.then(({ reason, bytes }) => {
      if (reason !== 'stopped') this.events.sent(bytes)
      this.#ended()
    })
  }

  #ended(): void {
    if (--this.#open > 0) return
    this.server.close()
    if (this.#connection) closeAfterPeer(this.#connection)
    this.events.ended()
  }
}
