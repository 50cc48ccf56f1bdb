import type { Fd } from '../../native/ts/fd.ts'
import { Pump } from '../../native/ts/pump.ts'

/** How an output stream came to its end. */
export type OutputEnd =
  /** Every byte that the agent announced was delivered (or discarded, its reader being gone). */
  | 'complete'
  /** The connection ended before the announced count: agent or VMM died. */
  | 'cut'
  /** Closed from our side before the end was known. */
  | 'closed'

/**
 * stdout or stderr of a process, from the guest to its place on the host. Bytes move once both its
 * ends are given, in whichever order.
 *
 * Its end is never inferred from the connection: the agent tells the byte count (`setTotal`), the
 * pump counts, and then the host closes first (facts of vsock transports: a half-close may be lost,
 * and so may bytes before it).
 */
export class OutputStream {
  #pump: Pump | undefined
  #connection: Fd | undefined
  #sink: Fd | undefined
  #keeper: Fd | undefined
  #total: number | undefined
  #over = false
  #settle: (end: OutputEnd) => void = () => {}
  #taken: Promise<unknown> | undefined
  /** Resolves once, after both ends are closed: only then does the reader see end of file. */
  readonly ended: Promise<OutputEnd>
  /** Resolves after that, when what carries the bytes on from `place`d sink has done so. */
  readonly drained: Promise<OutputEnd>

  constructor(readonly id: bigint, readonly what: string) {
    this.ended = new Promise(resolve => { this.#settle = resolve })
    this.drained = this.ended.then(async end => {
      await this.#taken
      return end
    })
  }

  /** Whether the stream has ended: nothing can be given to it any more. */
  get isOver(): boolean {
    return this.#over
  }

  /** Bytes that were delivered. */
  get deliveredBytes(): number {
    return this.#pump?.bytes ?? 0
  }

  /** Whether the agent has told how many bytes there are, or nothing is to come any more. */
  get isEndKnown(): boolean {
    return this.#total !== undefined || this.#over
  }

  /**
   * Takes ownership of the host's end, and of a reader that keeps the end alive when its own reader dies. `taken`: resolves when
   * everything has left the sink, where that is a pipe of ours; must not reject.
   */
  place(sink: Fd, keeper?: Fd, taken?: Promise<unknown>): void {
    this.#taken = taken
    if (this.#over) {
      sink.close()
      keeper?.close()
      return
    }
    this.#sink = sink
    this.#keeper = keeper
    this.#run()
  }

  /** Takes ownership of `connection`, the guest's end. */
  attach(connection: Fd): void {
    if (this.#over) {
      connection.close()
      return
    }
    this.#connection = connection
    this.#run()
  }

  /** The agent's count of bytes put on the stream; it may come before the ends are given. Twice is ignored. */
  setTotal(bytes: bigint): void {
    if (this.#over || this.#total !== undefined) return
    // Beyond 2^53 the count is a lie: no stream lives that long.
    this.#total = bytes > BigInt(Number.MAX_SAFE_INTEGER) ? 0 : Number(bytes)
    this.#pump?.setTotal(this.#total)
  }

  /** Ends the stream where it is. Idempotent. */
  close(): void {
    if (this.#pump) this.#pump.stop()
    else this.#end('closed')
  }

  #run(): void {
    if (!this.#connection || !this.#sink || this.#pump) return
    const pump = new Pump(this.what, { source: this.#connection.number, sink: this.#sink.number, discardOnSinkError: true })
    this.#pump = pump
    if (this.#total !== undefined) pump.setTotal(this.#total)
    void pump.ended.then(end => this.#end(end.reason === 'total' ? 'complete' : end.reason === 'stopped' ? 'closed' : 'cut'))
  }

  #end(end: OutputEnd): void {
    if (this.#over) return
    this.#over = true
    this.#connection?.close()
    this.#sink?.close()
    this.#keeper?.close()
    this.#settle(end)
  }
}
