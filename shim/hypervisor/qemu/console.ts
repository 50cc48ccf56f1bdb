import { Connection } from '../../../native/ts/connection.ts'
import type { Fd } from '../../../native/ts/fd.ts'
import type { Log } from '../../log.ts'
import { LineSplitter, TextTail } from '../text-tail.ts'

/** The guest's console: its last lines for a diagnosis, and each line to the log at level debug. The guest decides what is on it. */
export class Console {
  readonly #tail = new TextTail(8192)
  readonly #connection: Connection
  #seen = false

  /** Takes ownership of `fd`, a non-blocking socket. `started` is called at the first byte. */
  constructor(fd: Fd, log: Log, started: () => void) {
    this.#connection = new Connection(fd)
    const guestLog = log.child({ source: 'console' })
    const lines = new LineSplitter(line => guestLog.debug(line))
    const logged = log.enabled('debug')
    this.#connection.onData(bytes => {
      if (!this.#seen) started()
      this.#seen = true
      this.#tail.push(bytes)
      // Cutting lines that nobody reads would be work that the guest can ask for at will.
      if (logged) lines.push(bytes)
    })
  }

  lastLines(count: number): string {
    return this.#tail.lastLines(count)
  }

  close(): void {
    this.#connection.close()
  }
}
