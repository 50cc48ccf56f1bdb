import { type Answer, parseAnswers } from './answer.ts'

/** A netlink socket, as far as a dialogue needs one. Both calls are synchronous: the kernel answers within the send. */
export interface NetlinkTransport {
  send(message: Uint8Array): void
  /** What one recv(2) gives. */
  receive(): Uint8Array
}

/** The kernel refused a request. */
export class NetlinkRefusal extends Error {
  override readonly name = 'NetlinkRefusal'

  constructor(what: string, readonly errno: number, errnoText: string, explanation: string | undefined) {
    super(`rtnetlink: ${what}: ${errnoText}${explanation === undefined ? '' : ` (${explanation})`}`)
  }
}

/** A request, made when its sequence number is known, and what it asks for in words. */
export interface Change {
  what: string
  message: (sequence: number) => Uint8Array
}

/** More answers than this to one dump are not a pod's. */
const maxAnswers = 65_536

/**
 * Requests to the kernel, and its answers to them, one after the other:
 *
 *   session ── change ──────────────▶ kernel ── ack, or error ────────▶ session
 *           ── dump ────────────────▶        ── item, item, …, done ──▶
 */
export class NetlinkSession {
  #sequence = 0

  /** Borrows `transport`. `errnoName` names an errno in errors. */
  constructor(private readonly transport: NetlinkTransport, private readonly errnoName: (errno: number) => string) {}

  /** Asks for changes, in order, the next only after the last was made. Throws NetlinkRefusal of the first that is refused. */
  change(...changes: Change[]): void {
    for (const { what, message } of changes) {
      const sequence = ++this.#sequence
      this.transport.send(message(sequence))
      this.#answers(sequence, what)
    }
  }

  /** What a dump or a get is answered with. Throws NetlinkRefusal. */
  ask(what: string, message: (sequence: number) => Uint8Array): Answer[] {
    const sequence = ++this.#sequence
    this.transport.send(message(sequence))
    return this.#answers(sequence, what)
  }

  #answers(sequence: number, what: string): Answer[] {
    const answers: Answer[] = []
    for (;;) {
      for (const answer of parseAnswers(this.transport.receive())) {
        // Answers to an earlier request that was given up.
        if (answer.sequence !== sequence) continue
        if (answer.kind === 'error') throw new NetlinkRefusal(what, answer.errno, this.errnoName(answer.errno), answer.message)
        if (answer.kind === 'ack' || answer.kind === 'done') return answers
        if (answers.length >= maxAnswers) throw new RangeError(`rtnetlink: ${what}: more than ${maxAnswers} answers`)
        answers.push(answer)
      }
    }
  }
}
