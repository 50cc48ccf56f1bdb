import { O_NONBLOCK, O_RDONLY, O_WRONLY } from '../../native/ts/constants/fcntl.ts'
import { S_IFIFO, S_IFMT } from '../../native/ts/constants/stat.ts'
import { fstat } from '../../native/ts/file.ts'
import { type Fd, open } from '../../native/ts/fd.ts'
import { Pump } from '../../native/ts/pump.ts'

/**
 * stdin of a process. While the process may read, the shim keeps a writer of its own on the FIFO:
 * clients come and go (a containerd restart, `ctr task attach`), and none of them ends the input.
 * Only `closeInput` (CloseIO) drops that writer, and the end comes when the client's is gone too.
 */
export class InputStream {
  #keeper: Fd | undefined
  #pump: Pump | undefined
  #connection: Fd | undefined
  #closed = false
  #settle: (bytes: bigint | undefined) => void = () => {}
  /** Resolves with the bytes sent when the input came to its end, with undefined when it was given up before. */
  readonly ended: Promise<bigint | undefined>
  readonly #source: Fd

  /** Opens the host's end. Throws SysError. */
  constructor(readonly id: bigint, readonly what: string, path: string) {
    this.#source = open(path, O_RDONLY | O_NONBLOCK)
    try {
      if ((fstat(this.#source.number, path).mode & S_IFMT) === S_IFIFO) this.#keeper = open(path, O_WRONLY | O_NONBLOCK)
    } catch (error) {
      this.#source.close()
      throw error
    }
    this.ended = new Promise(resolve => { this.#settle = resolve })
  }

  /** Takes ownership of `connection` and starts to move bytes. */
  attach(connection: Fd): void {
    if (this.#closed) {
      connection.close()
      return
    }
    this.#connection = connection
    const pump = new Pump(this.what, { source: this.#source.number, sink: connection.number })
    this.#pump = pump
    void pump.ended.then(end => this.#settle(end.reason === 'eof' ? BigInt(end.bytes) : undefined))
  }

  /** Lets the input end once every other writer of the FIFO has gone. Idempotent. */
  closeInput(): void {
    this.#keeper?.close()
  }

  /** For when the process is gone. Idempotent. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#pump?.stop()
    // The connection outlives the input's end until here: closing it with bytes in flight could lose them.
    this.#connection?.close()
    this.#keeper?.close()
    this.#source.close()
    this.#settle(undefined)
  }
}
