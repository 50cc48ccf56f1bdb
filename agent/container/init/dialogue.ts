/**
 * What the parent and the container's first process (init) say to each other, over a socket pair of
 * whole messages (SOCK_SEQPACKET), each a JSON object.
 *
 *   parent                                     init
 *     │  clone3 ───────────────────────────────▶│ keeps the descriptors of its plan
 *     │  writes id maps                         │
 *     │  ── go ────────────────────────────────▶│ enters its cgroup, joins namespaces, mounts the root file system
 *     │  ◀───────────────────────── mounted ─── │
 *     │  runs prestart and createRuntime hooks  │
 *     │  ── hooks-done ────────────────────────▶│ createContainer hooks, pivot_root, user, terminal
 *     │  ◀──────────────── terminal + fd ────── │ only with a terminal
 *     │  ◀───────────────────────── created ─── │
 *     ┊                                         ┊ (here a caller of `create` has its answer)
 *     │  ── start ─────────────────────────────▶│ startContainer hooks, seccomp, capabilities, execve
 *     │  ◀────────────────────── filter, fd ─── │ only with a filter that asks an agent (seccomp/notify.ts)
 *     │  ── filter-held ───────────────────────▶│
 *     │  ◀──────────────────── end of file ──── │ execve closed the socket: it runs
 *
 * A process of an exec has a shorter one: `go`, `terminal` if it has one, `filter` and `filter-held`, end of file. Where init has nothing to wait
 * for (no ids to map), `go` lies in the socket before it is cloned.
 *
 * At any point init may say `failed` instead, with the whole error, and end; or end without a word.
 * `start` may come over another connection (gate.ts), which then carries the rest of the dialogue.
 */
import * as sys from 'native:sys'
import { F_SETFL, O_NONBLOCK } from '../../../native/ts/constants/fcntl.ts'
import { AF_UNIX, SOCK_SEQPACKET } from '../../../native/ts/constants/socket.ts'
import { check, checked, E, SysError } from '../../../native/ts/errno.ts'
import { Fault } from '../../../native/ts/fault.ts'
import { Fd } from '../../../native/ts/fd.ts'
import { whenReadable } from '../../../native/ts/readiness.ts'
import { fromWire, type WireError } from './wire-error.ts'

export type ParentMessage = { type: 'go' } | { type: 'hooks-done' } | { type: 'start' } | { type: 'filter-held' }
export type InitMessage =
  | { type: 'mounted' }
  | { type: 'terminal' }
  | { type: 'created' }
  /** `fd`: the descriptor's number in init. */
  | { type: 'filter'; fd: number }
  | { type: 'failed'; error: WireError }

/** One message at the most: errors are cut to fit (wire-error.ts). */
const maxMessageBytes = 64 * 1024

/** The two ends; the caller owns both. The parent's does not block, init's does. */
export function socketPair(): { parent: Fd; init: Fd } {
  const [parent, init] = checked('socketpair', 'init dialogue', sys.socketpair(AF_UNIX, SOCK_SEQPACKET, 0))
  const ends = { parent: new Fd(parent, 'init dialogue (parent)'), init: new Fd(init, 'init dialogue (init)') }
  const set = sys.fcntl(parent, F_SETFL, O_NONBLOCK)
  if (set < 0) {
    ends.parent.close()
    ends.init.close()
    check('fcntl', 'O_NONBLOCK', set)
  }
  return ends
}

/** Init's end. Blocks: nothing else happens in that process. */
export class ParentLink {
  #fd: number

  /** Borrows `fd`: it is closed by execve or with the process. */
  constructor(fd: number) {
    this.#fd = fd
  }

  get fd(): number {
    return this.#fd
  }

  /** Goes on over another descriptor: the same one at another place, or that of whoever asks for the start. */
  moveTo(fd: number): void {
    this.#fd = fd
  }

  tell(message: InitMessage, passed: number[] = []): void {
    const bytes = sys.utf8Encode(JSON.stringify(message))
    const sent = passed.length > 0 ? sys.sendFds(this.fd, bytes, passed) : sys.send(this.fd, bytes, 0, bytes.length, 0)
    check('send', `${message.type} to the parent`, sent)
  }

  /** Gives the parent the descriptor of a filter that is in force: by write(2) and read(2) alone, which it allows in all likelihood. */
  offerFilter(fd: number): void {
    const message: InitMessage = { type: 'filter', fd }
    const bytes = sys.utf8Encode(JSON.stringify(message))
    check('write', 'filter to the parent', sys.write(this.fd, bytes, 0, bytes.length))
    this.#expect('filter-held', buffer => sys.read(this.fd, buffer, 0, buffer.length))
  }

  /** Waits for one message. A parent that is gone ends the wait with an error: an orphaned init must not live on. */
  expect(type: ParentMessage['type']): void {
    this.#expect(type, buffer => sys.recv(this.fd, buffer, 0, buffer.length, 0))
  }

  #expect(type: ParentMessage['type'], receive: (buffer: Uint8Array) => number): void {
    const buffer = new Uint8Array(256)
    const got = check('recv', `${type} from the parent`, receive(buffer))
    if (got === 0) throw new Fault(`expected ${type} from the parent, received end of file`)
    const message = parse(buffer.subarray(0, got))
    if (message.type !== type) throw new Fault(`expected ${type} from the parent, received ${String(message.type)}`)
  }
}

/** The parent's end. */
export class InitLink {
  constructor(/** Owned from now on. */ readonly fd: Fd) {}

  tell(message: ParentMessage): void {
    const bytes = sys.utf8Encode(JSON.stringify(message))
    const sent = sys.send(this.fd.number, bytes, 0, bytes.length, 0)
    // An init that has failed and gone left its reason in the socket: the next receive gives it.
    if (sent !== -E.EPIPE && sent !== -E.ECONNRESET) check('send', `${message.type} to init`, sent)
  }

  /** Waits for `type`; gives the descriptor that came with it. Throws init's own error when it failed. */
  async expect(type: InitMessage['type']): Promise<Fd | undefined> {
    const { message, passed } = await this.#receive()
    if (message?.type === type) return passed
    passed?.close()
    if (message === undefined) throw new Fault(`expected ${type} from init, received end of file: it was killed`)
    if (message.type === 'failed') throw fromWire(message.error)
    throw new Fault(`expected ${type} from init, received ${message.type}`)
  }

  /**
   * Waits until execve closes init's end; `holdFilter` takes hold of the descriptor of a filter that comes before (its
   * number in init). Throws what it throws, and init's own error when it did not come to execve.
   */
  async expectEnd(holdFilter?: (fd: number) => void): Promise<void> {
    const { message, passed } = await this.#receive()
    passed?.close()
    if (message === undefined) return
    if (message.type === 'filter' && holdFilter) {
      holdFilter(message.fd)
      this.tell({ type: 'filter-held' })
      return this.expectEnd()
    }
    if (message.type === 'failed') throw fromWire(message.error)
    throw new Fault(`expected end of file from init, received ${message.type}`)
  }

  async #receive(): Promise<{ message?: InitMessage; passed?: Fd }> {
    const buffer = new Uint8Array(maxMessageBytes)
    for (;;) {
      const received = sys.recvFds(this.fd.number, buffer, 1)
      if (received === -E.EAGAIN) {
        await whenReadable(this.fd)
        continue
      }
      if (received === -E.ECONNRESET) return {}
      const { bytes, fds } = typeof received === 'number' ? fail(received) : received
      const passed = fds[0] === undefined ? undefined : new Fd(fds[0], 'descriptor from init')
      if (bytes === 0) {
        passed?.close()
        return {}
      }
      // init is our own code until execve: its messages have the declared shape.
      const message = parse(buffer.subarray(0, bytes)) as InitMessage
      return passed ? { message, passed } : { message }
    }
  }

  close(): void {
    this.fd.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }
}

function fail(errno: number): never {
  throw new SysError('recvmsg', 'init dialogue', -errno)
}

function parse(bytes: Uint8Array): { type: unknown } {
  return JSON.parse(sys.utf8Decode(bytes, 0, bytes.length)) as { type: unknown }
}
