import { Connection } from '../../../native/ts/connection.ts'
import type { Fd } from '../../../native/ts/fd.ts'
import type { Log } from '../../log.ts'
import { RateLimit } from '../../sandbox/rate-limit.ts'
import { LineSplitter, TextTail } from '../text-tail.ts'

/** Characters that the guest may put into the log at once, and a second. A kernel with all its messages prints some 30 KiB. */
const lineBurst = 512 * 1024
const linePerSecond = 6 * 1024

/** The guest's console: its last lines for a diagnosis, and each line to the log at level debug. The guest decides what is on it. */
export class Console {
  readonly #tail = new TextTail(8192)
  readonly #connection: Connection
  #seen = false

  /** Takes ownership of `fd`, a non-blocking socket. `started` is called at the first byte. */
  constructor(fd: Fd, log: Log, started: () => void) {
    this.#connection = new Connection(fd)
    const guestLog = log.child({ source: 'console' })
    const limit = new RateLimit(linePerSecond, lineBurst)
    const lines = new LineSplitter(line => {
      if (limit.allows(line.length)) guestLog.debug(line)
    })
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
