import { realtimeNs, sleep, within } from '../native/ts/clock.ts'
import { Fault, story } from '../native/ts/fault.ts'
import { packAny } from '../protocol/any.ts'
import {
  TaskCreate, TaskDelete, TaskExecAdded, TaskExecStarted, TaskExit, TaskOOM, TaskPaused, TaskResumed, TaskStart,
} from '../protocol/gen/events.ts'
import type { MessageType } from '../protocol/message.ts'
import type { Envelope } from '../protocol/gen/types.ts'
import { timestamp } from '../protocol/timestamp.ts'
import type { Log } from './log.ts'

/** The task events of containerd: topic, and the message that goes with it (containerd runtime, events.go). */
const kinds = {
  create: { topic: '/tasks/create', type: TaskCreate, name: 'containerd.events.TaskCreate' },
  start: { topic: '/tasks/start', type: TaskStart, name: 'containerd.events.TaskStart' },
  oom: { topic: '/tasks/oom', type: TaskOOM, name: 'containerd.events.TaskOOM' },
  exit: { topic: '/tasks/exit', type: TaskExit, name: 'containerd.events.TaskExit' },
  delete: { topic: '/tasks/delete', type: TaskDelete, name: 'containerd.events.TaskDelete' },
  'exec-added': { topic: '/tasks/exec-added', type: TaskExecAdded, name: 'containerd.events.TaskExecAdded' },
  'exec-started': { topic: '/tasks/exec-started', type: TaskExecStarted, name: 'containerd.events.TaskExecStarted' },
  paused: { topic: '/tasks/paused', type: TaskPaused, name: 'containerd.events.TaskPaused' },
  resumed: { topic: '/tasks/resumed', type: TaskResumed, name: 'containerd.events.TaskResumed' },
} as const

export interface TaskEvents {
  create: TaskCreate
  start: TaskStart
  oom: TaskOOM
  exit: TaskExit
  delete: TaskDelete
  'exec-added': TaskExecAdded
  'exec-started': TaskExecStarted
  paused: TaskPaused
  resumed: TaskResumed
}

export type TaskEventName = keyof TaskEvents

/** Where task events go. They arrive in the order of `publish`; it never throws and never waits. */
export interface EventSink {
  publish<Name extends TaskEventName>(name: Name, event: TaskEvents[Name]): void
}

/** Hands one event to containerd. Rejects when it did not take it. */
export type Forward = (envelope: Envelope) => Promise<void>

/** As many as containerd's own shims keep; each is some hundred bytes. */
const maxQueued = 2048
/** An event that containerd answers with an error this often is given up: those behind it must not wait for ever. */
const maxAttempts = 5
const firstRetryMs = 100
const maxRetryMs = 5_000

/**
 * Events on their way to containerd: strictly one after the other, since their order is the contract
 * (create < start < exit < delete; exec-added < exec-started < exit). While containerd is away they
 * wait; beyond `maxQueued` the oldest are lost, and that is logged.
 */
export class EventPublisher implements EventSink {
  readonly #queue: Envelope[] = []
  #idle: Promise<void> = Promise.resolve()
  #busy = false
  #lost = 0

  constructor(private readonly namespace: string, private readonly forward: Forward, private readonly log: Log) {}

  publish<Name extends TaskEventName>(name: Name, event: TaskEvents[Name]): void {
    const { topic, type, name: typeName } = kinds[name]
    this.#queue.push({
      timestamp: timestamp(realtimeNs()),
      namespace: this.namespace,
      topic,
      event: packAny(typeName, type as unknown as MessageType<TaskEvents[Name]>, event), // kinds pairs each name with its message
    })
    if (this.#queue.length > maxQueued) {
      this.#queue.shift()
      this.#lost++
    }
    if (!this.#busy) this.#idle = this.#drain()
  }

  /** Resolves when all events are out, or after `limitMs`. Never rejects. */
  async flush(limitMs: number): Promise<void> {
    await within(this.#idle, limitMs, 'events').catch(() => undefined)
  }

  async #drain(): Promise<void> {
    this.#busy = true
    for (let first = this.#queue[0]; first; first = this.#queue[0]) {
      await this.#deliver(first)
      if (this.#queue[0] === first) this.#queue.shift()
    }
    this.#busy = false
  }

  /** Comes back when the event is delivered, given up, or pushed out of the queue by later ones. */
  async #deliver(envelope: Envelope): Promise<void> {
    let refused = 0
    for (let delayMs = firstRetryMs; this.#queue[0] === envelope; delayMs = Math.min(delayMs * 2, maxRetryMs)) {
      try {
        await this.forward(envelope)
        this.#tellLost()
        return
      } catch (error) {
        if (!(error instanceof Unreachable) && ++refused >= maxAttempts) {
          this.log.error(`event ${envelope.topic} was not taken: ${story(error)}`)
          return
        }
        this.log.debug(`event ${envelope.topic} waits: ${story(error)}`)
      }
      await sleep(delayMs)
    }
  }

  #tellLost(): void {
    if (this.#lost > 0) this.log.error(`${this.#lost} events were lost while containerd did not answer`)
    this.#lost = 0
  }
}

/** Nobody answers: containerd restarts, most likely. Such an event waits for as long as there is room. */
export class Unreachable extends Fault {
  override readonly name: string = 'Unreachable'
}
