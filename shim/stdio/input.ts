import type { Fd } from '../../native/ts/fd.ts'
import { Pump } from '../../native/ts/pump.ts'
import type { InputSource } from './input-source.ts'

/**
 * stdin of a process. While the process may read, the shim keeps a writer of its own on the FIFO:
 * clients come and go (a containerd restart, `ctr task attach`), and none of them ends the input.
 * Only `closeInput` (CloseIO) drops that writer, and the end comes when the client's is gone too.
 *
 * The FIFO is opened when the process is started and not before: a client starts to copy as soon as
 * there is a reader, and `ctr` forgets to call CloseIO when its own input ends before Create is answered.
 */
export class InputStream {
  #source: Fd | undefined
  #pump: Pump | undefined
  #connection: Fd | undefined
  #finished = false
  #closed = false
  #settle: (bytes: bigint | undefined) => void = () => {}
  /** Resolves with the bytes sent when the input came to its end, with undefined when it was given up before. */
  readonly ended: Promise<bigint | undefined>

  constructor(readonly id: bigint, readonly what: string, private readonly host: InputSource) {
    this.ended = new Promise(resolve => { this.#settle = resolve })
  }

  /** Takes ownership of `connection`, the guest's end. */
  attach(connection: Fd): void {
    if (this.#closed) {
      connection.close()
      return
    }
    this.#connection = connection
    this.#run()
  }

  /** Opens the host's end: bytes move as soon as both ends are there. Throws SysError. */
  start(): void {
    if (this.#closed || this.#source) return
    this.#source = this.host.open(this.#finished)
    this.#run()
  }

  /** Lets the input end once every other writer of the FIFO has gone. Idempotent. */
  closeInput(): void {
    this.#finished = true
    this.host.finish()
  }

  /** For when the process is gone. Idempotent. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#pump?.stop()
    // The connection outlives the input's end until here: closing it with bytes in flight could lose them.
    this.#connection?.close()
    this.host.close()
    this.#source?.close()
    this.#settle(undefined)
  }

  #run(): void {
    if (!this.#source || !this.#connection || this.#pump) return
    this.#pump = new Pump(this.what, { source: this.#source.number, sink: this.#connection.number })
    void this.#pump.ended.then(end => this.#settle(end.reason === 'eof' ? BigInt(end.bytes) : undefined))
  }
}
