import * as sys from 'native:sys'
import { within } from '../../native/ts/clock.ts'
import { E } from '../../native/ts/errno.ts'
import type { Fd } from '../../native/ts/fd.ts'
import { whenWritable } from '../../native/ts/readiness.ts'
import type { Link } from './link.ts'

/** What containerd may send unasked: as much as a pipe holds. */
const windowBytes = 64 * 1024
/** CloseIO comes over another connection than the input: what is on its way may take so long. */
const lastBytesMs = 1_000

/**
 * stdin on its way from containerd: from whichever link there is into a pipe. The end of a link is not the end of the input (containerd
 * may have stopped, and comes again); CloseIO is.
 */
export class InputRelay {
  #reading: Promise<void> = Promise.resolve()
  #link: Link | undefined
  #over = false
  #isFull = false

  /** Takes ownership of `pipe`, a write end that does not block. `gone` is called once, at the end. */
  constructor(private readonly pipe: Fd, private readonly gone: () => void) {}

  /** A link in place of the former. */
  attach(link: Link): void {
    this.#link?.end()
    this.#link = link
    link.sendWindow(windowBytes)
    const former = this.#reading
    this.#reading = former.then(() => this.#read(link))
  }

  /** The input ends after what was sent. Idempotent. */
  finish(): void {
    void within(this.#reading, lastBytesMs, 'the last of the input').catch(() => undefined).then(() => this.release())
  }

  /** The input ends now. Idempotent. */
  release(): void {
    if (this.#over) return
    this.#over = true
    this.#link?.end()
    // What waits for room is left waiting: the descriptor goes, and its number to another.
    if (this.#isFull) sys.unwatch(this.pipe.number)
    this.pipe.close()
    this.gone()
  }

  async #read(link: Link): Promise<void> {
    for (let message = await link.next(); message && !this.#over; message = await link.next()) {
      if (message.is !== 'data') continue
      await this.#write(message.bytes)
      if (message.bytes.length > 0) link.sendWindow(message.bytes.length)
    }
  }

  async #write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length && !this.#over;) {
      const put = sys.write(this.pipe.number, bytes, at, bytes.length - at)
      if (put >= 0) at += put
      else if (put === -E.EAGAIN) {
        this.#isFull = true
        await whenWritable(this.pipe)
        this.#isFull = false
      }
      // The process does not read any more: what is sent to it goes nowhere, as with a FIFO.
      else if (put !== -E.EINTR) return
    }
  }
}
