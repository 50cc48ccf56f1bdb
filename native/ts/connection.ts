import * as sys from 'native:sys'
import { EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT } from './constants/epoll.ts'
import { check, E, SysError } from './errno.ts'
import { Fault } from './fault.ts'
import type { Fd } from './fd.ts'

/** One read(2): large enough for a ttrpc answer of usual size in one turn of the loop. */
const readBytes = 64 * 1024

/** Bytes to send, and descriptors that travel with the first of them (SCM_RIGHTS). */
interface Outgoing {
  bytes: Uint8Array
  fds: readonly Fd[]
}

/** A connection is `open` until close() or the peer's end or an error, then `closed` for ever. */
type State = { is: 'open' } | { is: 'closed'; error: Error | undefined }

/** Bytes both ways over a non-blocking stream socket, callbacks in, an ordered queue out. */
export class Connection {
  #state: State = { is: 'open' }
  #queue: Outgoing[] = []
  #queuedBytes = 0
  #sentOfFirst = 0
  #data: (bytes: Uint8Array) => void = () => {}
  #closed: (error: Error | undefined) => void = () => {}
  readonly #buffer = new Uint8Array(readBytes)

  /**
   * Takes ownership of `fd`, which must be non-blocking. Reading starts with the next turn of the loop. A peer that leaves
   * more than `queueBytesMax` unread loses the connection.
   */
  constructor(readonly fd: Fd, private readonly queueBytesMax = Infinity) {
    const watching = sys.watch(fd.number, EPOLLIN, events => this.#ready(events))
    // The descriptor is ours from the first line on, also when there will be no connection.
    if (watching < 0) fd.close()
    check('epoll_ctl', fd.what, watching)
  }

  /** `receive` is given each chunk; the bytes are its own to keep. */
  onData(receive: (bytes: Uint8Array) => void): void {
    this.#data = receive
  }

  /** Called once: with no error for the peer's orderly end and for close(). */
  onClose(closed: (error: Error | undefined) => void): void {
    if (this.#state.is === 'closed') closed(this.#state.error)
    else this.#closed = closed
  }

  get isOpen(): boolean {
    return this.#state.is === 'open'
  }

  /** Bytes that write() took and the kernel did not yet: the caller's measure for back-pressure. */
  get queuedBytes(): number {
    return this.#queuedBytes
  }

  /** Sends `bytes` after all earlier ones; they must not be changed afterwards. Dropped when closed. */
  write(bytes: Uint8Array): void {
    this.writeWithFds(bytes, [])
  }

  /** As write, with descriptors for the peer of a unix socket; takes ownership of them, and closes them when they were sent or never will be. */
  writeWithFds(bytes: Uint8Array, fds: readonly Fd[]): void {
    if (this.#state.is === 'closed' || bytes.length === 0) {
      for (const fd of fds) fd.close()
      return
    }
    this.#queue.push({ bytes, fds })
    this.#queuedBytes += bytes.length
    if (this.#queue.length === 1) this.#flush()
    if (this.#queuedBytes > this.queueBytesMax) this.#end(new Fault(`${this.fd.what}: the peer does not read: more than ${this.queueBytesMax} bytes wait for it`))
  }

  /** Closes the socket at once; queued bytes are lost. */
  close(): void {
    this.#end(undefined)
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #ready(events: number): void {
    if (events & EPOLLOUT) this.#flush()
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR) && this.#state.is === 'open') this.#receive()
  }

  /** One read a turn: a peer that floods must not starve the rest of the loop. */
  #receive(): void {
    const got = sys.recv(this.fd.number, this.#buffer, 0, readBytes, 0)
    if (got === -E.EAGAIN) return
    if (got === 0) this.#end(undefined)
    else if (got < 0) this.#end(new SysError('recv', this.fd.what, -got))
    else this.#data(this.#buffer.slice(0, got))
  }

  #flush(): void {
    for (let first = this.#queue[0]; first; first = this.#queue[0]) {
      const sent = this.#sendSome(first)
      if (sent === -E.EAGAIN) {
        sys.rewatch(this.fd.number, EPOLLIN | EPOLLOUT)
        return
      }
      if (sent < 0) {
        this.#end(new SysError('send', this.fd.what, -sent))
        return
      }
      this.#queuedBytes -= sent
      this.#sentOfFirst += sent
      if (this.#sentOfFirst < first.bytes.length) continue
      this.#queue.shift()
      this.#sentOfFirst = 0
    }
    sys.rewatch(this.fd.number, EPOLLIN)
  }

  #sendSome({ bytes, fds }: Outgoing): number {
    if (this.#sentOfFirst > 0 || fds.length === 0) return sys.send(this.fd.number, bytes, this.#sentOfFirst, bytes.length - this.#sentOfFirst, 0)
    const sent = sys.sendFds(this.fd.number, bytes, fds.map(fd => fd.number))
    if (sent > 0) for (const fd of fds) fd.close()
    return sent
  }

  #end(error: Error | undefined): void {
    if (this.#state.is === 'closed') return
    this.#state = { is: 'closed', error }
    sys.unwatch(this.fd.number)
    this.fd.close()
    for (const { fds } of this.#queue) for (const fd of fds) fd.close()
    this.#queue = []
    this.#queuedBytes = 0
    this.#closed(error)
  }
}
