/**
 * A conversation with systemd over D-Bus (D-Bus Specification, "Authentication Protocol"):
 *
 *   we ── NUL, AUTH EXTERNAL <uid>, BEGIN ─▶ peer        sent at once: what is refused is refused
 *      ◀────────────────────── OK <guid> ──
 *      ── method call ────────────────────▶
 *      ◀──────── answer or error, signals ──
 *
 * npm's D-Bus libraries are written for Node's sockets and buffers, which this engine has not.
 */
import * as sys from 'native:sys'
import { Connection } from '../../../native/ts/connection.ts'
import { within } from '../../../native/ts/clock.ts'
import { Fault } from '../../../native/ts/fault.ts'
import { connectUnix } from '../../../native/ts/socket.ts'
import { decodeMessage, encodeMessage, type Message, messageLength, MessageType } from '../../../protocol/dbus/message.ts'
import type { Value } from '../../../protocol/dbus/value.ts'

/** How long systemd may take to answer: a reload of all units can hold it up for seconds. */
const answerLimitMs = 30_000
/** The line that answers AUTH (a guid of 32 digits). */
const lineBytesMax = 4096

/** What is called, where. */
export interface Call {
  destination: string
  path: string
  interface: string
  member: string
  signature?: string
  body?: readonly Value[]
}

/** An error that the peer answered with. */
export class BusFault extends Fault {
  override readonly name = 'BusFault'

  constructor(readonly errorName: string, what: string) {
    super(what)
  }
}

interface Waiting {
  call: Call
  resolve: (body: readonly Value[]) => void
  reject: (error: unknown) => void
}

/** Owned by who connects it; close it, or nothing that waits for an answer ends. */
export class Bus {
  readonly #connection: Connection
  readonly #waiting = new Map<number, Waiting>()
  readonly #closed: ((error: Error) => void)[] = []
  #received: Uint8Array = new Uint8Array()
  #authenticated: (() => void) | undefined
  #lastSerial = 0
  /** Told of each signal, with its body. */
  onSignal: (message: Message) => void = () => undefined

  private constructor(connection: Connection, path: string) {
    this.#connection = connection
    this.#connection.onData(bytes => this.#take(bytes))
    this.#connection.onClose(cause => this.#fail(new Fault(`systemd closed its connection at ${path}`, { cause })))
  }

  /** Connects to the socket at `path` as the user `uid`, as the peer numbers users. Rejects with SysError when nobody listens, with Fault when we are refused. */
  static async connect(path: string, uid: number): Promise<Bus> {
    return Bus.over(new Connection(connectUnix(path)), path, uid)
  }

  /** As connect, over a connection that stands; takes ownership of it. */
  static async over(connection: Connection, path: string, uid: number): Promise<Bus> {
    const bus = new Bus(connection, path)
    try {
      await within(bus.#authenticate(uid), answerLimitMs, `authentication at ${path}`)
      return bus
    } catch (error) {
      bus.close()
      throw error
    }
  }

  /** Calls a method and gives the body of its answer. Rejects with BusFault for an error, with Fault when none comes. */
  call(call: Call): Promise<readonly Value[]> {
    const serial = ++this.#lastSerial
    const answer = new Promise<readonly Value[]>((resolve, reject) => {
      if (!this.#connection.isOpen) return reject(new Fault(`${call.member}: the connection to systemd is closed`))
      this.#waiting.set(serial, { call, resolve, reject })
    })
    this.#connection.write(encodeMessage({ ...call, type: MessageType.call, serial, body: call.body ?? [] }))
    return within(answer, answerLimitMs, `systemd's answer to ${call.member}`)
  }

  /** Calls `closed` when the connection ends. */
  onClose(closed: (error: Error) => void): void {
    this.#closed.push(closed)
  }

  close(): void {
    this.#connection.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  /** The user as decimal digits, each in hexadecimal. */
  #authenticate(uid: number): Promise<void> {
    const hex = [...`${uid}`].map(digit => digit.charCodeAt(0).toString(16)).join('')
    const done = new Promise<void>((resolve, reject) => {
      this.#authenticated = resolve
      this.onClose(reject)
    })
    this.#connection.write(sys.utf8Encode(`\0AUTH EXTERNAL ${hex}\r\nBEGIN\r\n`))
    return done
  }

  #take(bytes: Uint8Array): void {
    const joined = new Uint8Array(this.#received.length + bytes.length)
    joined.set(this.#received)
    joined.set(bytes, this.#received.length)
    this.#received = joined
    try {
      if (this.#authenticated && !this.#takeWelcome()) return
      for (let length = messageLength(this.#received); length !== undefined && length <= this.#received.length; length = messageLength(this.#received)) {
        const message = decodeMessage(this.#received.subarray(0, length), ({ type, member }) => type !== MessageType.signal || member === 'JobRemoved')
        this.#received = this.#received.slice(length)
        this.#give(message)
      }
    } catch (cause) {
      this.#fail(new Fault('systemd said what is no D-Bus', { cause }))
    }
  }

  /** Whether the answer to AUTH is there. */
  #takeWelcome(): boolean {
    const end = this.#received.indexOf('\n'.charCodeAt(0))
    if (end < 0 && this.#received.length <= lineBytesMax) return false
    const line = sys.utf8Decode(this.#received, 0, Math.max(end, 0)).trimEnd()
    if (!line.startsWith('OK ')) throw new Fault(`it answered AUTH EXTERNAL with ${JSON.stringify(line.slice(0, 80))}`)
    this.#received = this.#received.slice(end + 1)
    this.#authenticated?.()
    this.#authenticated = undefined
    return true
  }

  #give(message: Message): void {
    if (message.type === MessageType.signal) return this.onSignal(message)
    const waiting = this.#waiting.get(message.replySerial ?? 0)
    if (!waiting) return
    this.#waiting.delete(message.replySerial ?? 0)
    if (message.type === MessageType.error) waiting.reject(new BusFault(message.errorName ?? '', `systemd: ${waiting.call.member}: ${String(message.body[0] ?? message.errorName)}`))
    else waiting.resolve(message.body)
  }

  #fail(error: Error): void {
    for (const { reject } of this.#waiting.values()) reject(error)
    this.#waiting.clear()
    for (const closed of this.#closed) closed(error)
    this.#connection.close()
  }
}
