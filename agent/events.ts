import type { Event, LogLine, OutOfMemory, ProcessExit, StreamEnd } from '../protocol/gen/agent.ts'
import { Queue } from '../protocol/ttrpc/queue.ts'
import type { Line } from './log.ts'
import { wrongState } from './refusal.ts'

/** Log lines beyond this many waiting events are dropped and counted: they never push out what the shim must know. */
const maxWaitingForLines = 1024
/** Exits, stream ends and OOM kills wait for a reader up to this many; beyond it the subscriber cannot be alive. */
const maxWaiting = 65_536

/** What happens in the guest, in order, for one subscriber. Events wait while there is none; log lines do not. */
export class Events {
  #queue = new Queue<Partial<Event>>()
  #subscribed = false
  #droppedLines = 0

  /** The stream for the one subscriber. Throws Refusal(FailedPrecondition) when there is one already. */
  subscribe(): AsyncIterable<Partial<Event>> {
    if (this.#subscribed) throw wrongState('events have a subscriber already; there can be one at a time')
    this.#subscribed = true
    const queue = this.#queue
    queue.onReturn = () => {
      this.#subscribed = false
      this.#queue = new Queue()
    }
    return queue
  }

  exit(value: ProcessExit): void {
    this.#push({ $case: 'exit', value })
  }

  streamEnd(value: StreamEnd): void {
    this.#push({ $case: 'streamEnd', value })
  }

  outOfMemory(value: OutOfMemory): void {
    this.#push({ $case: 'oom', value })
  }

  /** False: nobody listens. */
  readonly line = ({ level, message, fields }: Line): boolean => {
    if (!this.#subscribed) return false
    if (this.#queue.length >= maxWaitingForLines) {
      this.#droppedLines++
      return true
    }
    if (this.#droppedLines > 0) {
      this.#pushLine({ level: 'warn', message: `${this.#droppedLines} log lines were dropped`, fields: '' })
      this.#droppedLines = 0
    }
    this.#pushLine({ level, message, fields })
    return true
  }

  #pushLine(value: LogLine): void {
    this.#push({ $case: 'log', value })
  }

  #push(event: NonNullable<Event['event']>): void {
    if (this.#queue.length < maxWaiting) this.#queue.push({ event })
  }
}
