import * as sys from 'native:sys'
import { SHUT_WR } from '../../native/ts/constants/socket.ts'
import type { Fd } from '../../native/ts/fd.ts'
import { Pump } from '../../native/ts/pump.ts'

/** struct linger { on, seconds }: close(2) sends a reset. */
const reset = new Uint8Array([1, 0, 0, 0, 0, 0, 0, 0])
const SOL_SOCKET = 1
const SO_LINGER = 13
/** setsockopt(2) by number on x86_64. */
const SYS_setsockopt = 54

/**
 * A client's connection, joined to a stream of the guest's. Each direction ends by itself, so that a client may send all, say so,
 * and wait for the answer:
 *
 *   client's end of file ─▶ `told` with the bytes sent ─▶ (ClosePortInput) ─▶ server
 *   server's end of file ─▶ StreamEnd{bytes} ─▶ setTotal ─▶ client sees end of file
 *
 * Whatever else ends one of them resets the client, which so learns that something is missing.
 */
export class Forwarded {
  #open = 2
  #over = false
  readonly #output: Pump
  readonly #input: Pump
  #settle: () => void = () => {}
  /** Resolves when both descriptors are closed. */
  readonly ended: Promise<void>

  /** Takes ownership of `client` and `stream`. `told` is given the number of bytes that the client sent, at their end. */
  constructor(private readonly client: Fd, private readonly stream: Fd, told: (bytes: number) => void) {
    this.ended = new Promise(resolve => { this.#settle = resolve })
    this.#output = new Pump(`to ${client.what}`, { source: stream.number, sink: client.number })
    this.#input = new Pump(`from ${client.what}`, { source: client.number, sink: stream.number })
    void this.#output.ended.then(({ reason }) => {
      if (reason === 'total') sys.shutdown(client.number, SHUT_WR)
      this.#half(reason === 'total')
    })
    void this.#input.ended.then(({ reason, bytes }) => {
      if (reason === 'eof') told(bytes)
      this.#half(reason === 'eof')
    })
  }

  /** The agent's count of the bytes that the server sent. */
  setTotal(bytes: bigint): void {
    // Beyond 2^53 the count is a lie.
    if (bytes > BigInt(Number.MAX_SAFE_INTEGER)) this.close()
    else if (!this.#over) this.#output.setTotal(Number(bytes))
  }

  /** Resets the client and gives up the stream. Idempotent. */
  close(): void {
    if (this.#over) return
    this.#over = true
    this.#output.stop()
    this.#input.stop()
    resetConnection(this.client)
    this.stream.close()
    this.#settle()
  }

  #half(isComplete: boolean): void {
    if (this.#over) return
    if (!isComplete) {
      this.close()
      return
    }
    if (--this.#open > 0) return
    this.#over = true
    this.client.close()
    this.stream.close()
    this.#settle()
  }
}

/** Closes `client` (ownership taken) with a reset: what it sees is a connection that failed, not one that is at its end. */
export function resetConnection(client: Fd): void {
  sys.syscall(SYS_setsockopt, client.number, SOL_SOCKET, SO_LINGER, reset, reset.length)
  client.close()
}
