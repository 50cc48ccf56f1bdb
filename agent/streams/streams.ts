/**
 * Stream connections, from their arrival until a process takes them.
 *
 *   host                                agent
 *    │ ── connect to port 1025 ─────────▶ │  accepted; at most 256 wait, a minute each
 *    │ ── KTSTREAM <id> ────────────────▶ │  matched with the process that expects the id: before or after its RPC
 *    │ ◀═══════════ bytes ══════════════▶ │  one direction each, moved by a pump
 */
import * as sys from 'native:sys'
import { EPOLLIN, EPOLLRDHUP } from '../../native/ts/constants/epoll.ts'
import { SOCK_NONBLOCK } from '../../native/ts/constants/socket.ts'
import { check, E } from '../../native/ts/errno.ts'
import { Fd } from '../../native/ts/fd.ts'
import type { Log } from '../log.ts'
import { alreadyExists } from '../refusal.ts'
import { headerBytes, parseHeader } from './header.ts'

const maxWaiting = 256
/** An overloaded host has been seen to stop a guest for more than ten seconds. */
const waitLimitMs = 60_000
/** A guest that was stopped finds its timers over before it has read what came meanwhile: that gets its turn first. */
const lastTurnMs = 1_000
/** Accepted in one turn of the loop at the most: a flood of connections must not starve the rest. */
const maxAcceptsATurn = 32

/** A connection that nobody has taken yet, with what was read of its header. */
interface Arrival {
  connection: Fd
  header: Uint8Array
  got: number
  id: bigint | undefined
  timer: number
}

/** A stream that a process waits for. */
export interface Expected {
  /** Called once with the connection, which the callee owns. Never inside expect(). */
  onConnection(take: (connection: Fd) => void): void
  /** No longer wanted: a later connection of this id is refused after its time. Idempotent. */
  cancel(): void
}

/** The connections that the host makes for stdio and ports, each given to whoever expects its number. */
export class Streams {
  readonly #arrivals = new Set<Arrival>()
  readonly #expected = new Map<bigint, (connection: Fd) => void>()

  /** Takes ownership of `listener`. `admits` judges a new connection by its peer: anyone in the guest can dial. */
  constructor(private readonly listener: Fd, private readonly admits: (connection: number) => boolean, private readonly log: Log) {
    check('epoll_ctl', listener.what, sys.watch(listener.number, EPOLLIN, () => this.#accept()))
  }

  /** Connections that wait for their process. */
  get waiting(): number {
    return this.#arrivals.size
  }

  /** Reserves stream `id`. Throws Refusal(AlreadyExists) when a process expects it already. */
  expect(id: bigint): Expected {
    if (this.#expected.has(id)) throw alreadyExists(`stream ${id} is expected by a process already`)
    let take: ((connection: Fd) => void) | undefined
    let early: Fd | undefined
    let isWanted = true
    this.#expected.set(id, connection => {
      this.#expected.delete(id)
      if (take) take(connection)
      else early = connection
    })
    for (const arrival of [...this.#arrivals]) if (arrival.id === id) this.#match(arrival)
    return {
      onConnection: callback => {
        take = callback
        if (!early) return
        const connection = early
        early = undefined
        callback(connection)
      },
      cancel: () => {
        if (!isWanted) return
        isWanted = false
        if (take === undefined) early?.close()
        this.#expected.delete(id)
      },
    }
  }

  #accept(): void {
    for (let turn = 0; turn < maxAcceptsATurn; turn++) {
      const number = sys.accept4(this.listener.number, SOCK_NONBLOCK)
      if (number < 0) {
        if (number !== -E.EAGAIN && number !== -E.ECONNABORTED) this.log.warn(`accept on ${this.listener.what}: errno ${-number}`)
        return
      }
      const connection = new Fd(number, 'stream connection')
      if (!this.admits(number) || this.#arrivals.size >= maxWaiting) connection.close()
      else this.#greet(connection)
    }
  }

  #greet(connection: Fd): void {
    const over = (): void => this.#refuse(arrival, arrival.id === undefined ? 'sent no header' : `names stream ${arrival.id}, which no process expects`)
    const timer = sys.setTimer(waitLimitMs, () => { arrival.timer = sys.setTimer(lastTurnMs, over) })
    const arrival: Arrival = { connection, header: new Uint8Array(headerBytes), got: 0, id: undefined, timer }
    this.#arrivals.add(arrival)
    check('epoll_ctl', connection.what, sys.watch(connection.number, EPOLLIN, () => {
      if (arrival.id === undefined) this.#readHeader(arrival)
      else this.#refuse(arrival, `was closed before a process took stream ${arrival.id}`)
    }))
  }

  /** Exactly the header: what follows belongs to the stream. */
  #readHeader(arrival: Arrival): void {
    const { connection, header, got } = arrival
    const more = sys.recv(connection.number, header, got, headerBytes - got, 0)
    if (more === -E.EAGAIN) return
    if (more <= 0) {
      this.#refuse(arrival, 'ended within its header')
      return
    }
    arrival.got += more
    if (arrival.got < headerBytes) return
    arrival.id = parseHeader(header)
    if (arrival.id === undefined) this.#refuse(arrival, 'sent a malformed header')
    // From here on only its end is of interest: a host that gave up must not leave it for the whole time.
    else if (!this.#match(arrival)) check('epoll_ctl', connection.what, sys.rewatch(connection.number, EPOLLRDHUP))
  }

  /** Gives the connection to the process that expects it; false when none does yet. */
  #match(arrival: Arrival): boolean {
    const take = arrival.id === undefined ? undefined : this.#expected.get(arrival.id)
    if (!take) return false
    this.#forget(arrival)
    take(arrival.connection)
    return true
  }

  #refuse(arrival: Arrival, why: string): void {
    this.#forget(arrival)
    arrival.connection.close()
    this.log.warn(`a stream connection was refused: it ${why}`)
  }

  #forget(arrival: Arrival): void {
    sys.clearTimer(arrival.timer)
    sys.unwatch(arrival.connection.number)
    this.#arrivals.delete(arrival)
  }
}
