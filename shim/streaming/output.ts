import * as sys from 'native:sys'
import { E, SysError } from '../../native/ts/errno.ts'
import { type Fd } from '../../native/ts/fd.ts'
import { whenReadable } from '../../native/ts/readiness.ts'
import type { Link } from './link.ts'

/** Largest Data message, as containerd's own. */
const chunkBytes = 32 * 1024

/**
 * stdout or stderr on its way to containerd: from a pipe, into which the guest's bytes are pumped, to whichever link there is. No
 * byte leaves the pipe without a link that has room for it, so while containerd is away the process blocks at most.
 */
export class OutputRelay {
  #link: Link | undefined
  #window = 0
  #released = false
  #wake: () => void = () => {}

  /** Takes ownership of `pipe`, a read end that does not block. `gone` is called once, at the end. */
  constructor(private readonly pipe: Fd, gone: () => void) {
    void this.#run().finally(() => {
      pipe.close()
      this.#link?.end()
      gone()
    })
  }

  /** A link in place of the former. */
  attach(link: Link): void {
    this.#link?.end()
    this.#link = link
    this.#window = 0
    void this.#readWindows(link)
  }

  /** Gives up what was not sent. The pipe's write end must be closed. Idempotent. */
  release(): void {
    this.#released = true
    this.#wake()
  }

  async #readWindows(link: Link): Promise<void> {
    for (let message = await link.next(); message; message = await link.next()) {
      if (message.is === 'window' && link === this.#link) {
        this.#window += message.bytes
        this.#wake()
      }
    }
  }

  async #run(): Promise<void> {
    const buffer = new Uint8Array(chunkBytes)
    let kept: Uint8Array | undefined
    for (;;) {
      const link = await this.#room()
      if (!link) return
      kept ??= await this.#read(buffer, Math.min(chunkBytes, this.#window))
      if (!kept) return
      if (!link.sendData(kept)) continue
      this.#window -= kept.length
      kept = undefined
    }
  }

  /** A link that takes bytes now; undefined once released. */
  async #room(): Promise<Link | undefined> {
    while (!this.#released) {
      if (this.#link?.isOpen && this.#window > 0) return this.#link
      await new Promise<void>(resolve => { this.#wake = resolve })
    }
    return undefined
  }

  /** undefined at the end. */
  async #read(buffer: Uint8Array, length: number): Promise<Uint8Array | undefined> {
    for (;;) {
      await whenReadable(this.pipe)
      const got = sys.read(this.pipe.number, buffer, 0, length)
      if (got > 0) return buffer.slice(0, got)
      if (got === 0) return undefined
      if (got !== -E.EAGAIN && got !== -E.EINTR) throw new SysError('read', this.pipe.what, -got)
    }
  }
}
