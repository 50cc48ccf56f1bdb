import { F_GETFL, F_SETFL, O_NONBLOCK } from '../../native/ts/constants/fcntl.ts'
import * as sys from 'native:sys'
import { sleep } from '../../native/ts/clock.ts'
import { check } from '../../native/ts/errno.ts'
import { type Fd, pipe } from '../../native/ts/fd.ts'
import { Refusal } from '../refusal.ts'
import { InputRelay } from './input.ts'
import type { Link } from './link.ts'
import { OutputRelay } from './output.ts'

/** Streams without a process yet, or any more: containerd opens them before it creates the task. */
const maxWaiting = 1024
/** How long the rest of an output waits for a containerd that is away, once its process is gone. */
const lingerMs = 30_000

/**
 * The streams that containerd reaches over the shim's own socket (`ttrpc+unix://…?streaming_id=<id>` as stdio), by their ids.
 * A link may come before the process names its id, and again after containerd has started anew.
 */
export class StreamBroker {
  readonly #waiting = new Map<string, Link>()
  readonly #relays = new Map<string, InputRelay | OutputRelay>()

  /** A call of the streaming service for stream `id`. Throws Refusal when too many wait for their process. */
  attach(id: string, link: Link): void {
    const relay = this.#relays.get(id)
    if (relay) {
      relay.attach(link)
      return
    }
    this.#waiting.get(id)?.end()
    this.#waiting.set(id, link)
    if (this.#waiting.size <= maxWaiting) return
    this.#waiting.delete(id)
    throw new Refusal('unavailable', `${maxWaiting} streams wait for their process`)
  }

  /**
   * The write end for an output; the caller owns it, and closes it when everything was written. `over` resolves then, and `gone` when
   * containerd was sent all of it, or did not come for it. Throws Refusal for an id in use.
   */
  output(id: string, over: Promise<unknown>): { writer: Fd; gone: Promise<void> } {
    const { reader, writer } = this.#pipe(id)
    let tell = (): void => {}
    const gone = new Promise<void>(resolve => { tell = resolve })
    const relay = new OutputRelay(reader, () => {
      this.#relays.delete(id)
      tell()
    })
    this.#begin(id, relay)
    void over.then(() => sleep(lingerMs)).then(() => relay.release())
    return { writer, gone }
  }

  /** The read end for an input, which the caller owns, and what ends the input. Throws Refusal for an id in use. */
  input(id: string): { reader: Fd; relay: InputRelay } {
    const { reader, writer } = this.#pipe(id)
    const relay = new InputRelay(writer, () => this.#relays.delete(id))
    this.#begin(id, relay)
    return { reader, relay }
  }

  #pipe(id: string): { reader: Fd; writer: Fd } {
    if (this.#relays.has(id)) throw new Refusal('already-exists', `stream ${id} is in use`)
    const ends = pipe(`stream ${id}`)
    for (const end of [ends.reader, ends.writer]) {
      check('fcntl', end.what, sys.fcntl(end.number, F_SETFL, check('fcntl', end.what, sys.fcntl(end.number, F_GETFL, 0)) | O_NONBLOCK))
    }
    return ends
  }

  #begin(id: string, relay: InputRelay | OutputRelay): void {
    this.#relays.set(id, relay)
    const link = this.#waiting.get(id)
    this.#waiting.delete(id)
    if (link) relay.attach(link)
  }
}
