import type { Fd } from '../../native/ts/fd.ts'
import { Pump } from '../../native/ts/pump.ts'
import { closeAfterPeer } from './linger.ts'
import type { Expected } from './streams.ts'

/**
 * Bytes written to vsock at once. Above 32,404 Linux sends page fragments, of which vhost-device-vsock 0.3.0 loses
 * those beyond 32,768 bytes, and with them the connection. Whole pages, as many as fit: 28 KiB carry 65 MB/s under
 * TCG where 32,404 bytes carry 40 to 50 and 20 KiB 44.
 */
export const vsockChunkBytes = 28 * 1024

/**
 * stdout or stderr of a process, or what its terminal shows, on its way to the host.
 *
 *   pipe or pty master ══ pump ══▶ connection        until every writer is gone,
 *   stream_end{bytes} ──▶ shim ──▶ it counts, closes ──▶ we close
 *
 * A host that closes early only makes the rest be discarded: the process never blocks for it.
 */
export class Output {
  #pump: Pump | undefined
  #settle: () => void = () => {}
  /** Resolves when no more bytes will be moved. */
  readonly ended: Promise<void>

  /** Takes ownership of `source`. `told` is given the number of bytes that were put on the stream, at its end. */
  constructor(readonly what: string, private readonly source: Fd, private readonly expected: Expected, private readonly told: (bytes: number) => void) {
    this.ended = new Promise(resolve => { this.#settle = resolve })
    expected.onConnection(connection => this.#start(connection))
  }

  /** For when the container is gone: what is on its way is still delivered, a stream without connection is given up. */
  close(): void {
    this.expected.cancel()
    if (this.#pump) return
    this.source.close()
    this.#settle()
  }

  #start(connection: Fd): void {
    const pump = new Pump(this.what, {
      source: this.source.number, sink: connection.number, chunkBytes: vsockChunkBytes, discardOnSinkError: true,
    })
    this.#pump = pump
    void pump.ended.then(end => {
      this.source.close()
      this.told(end.bytes)
      closeAfterPeer(connection)
      this.#settle()
    })
  }
}
