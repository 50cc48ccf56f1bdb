import { realtimeNs } from '../../native/ts/clock.ts'
import type { Event, LogLine, ProcessExit } from '../../protocol/gen/agent.ts'
import type { Level } from '../log.ts'
import { RateLimit } from './rate-limit.ts'
import type { Sandbox } from './sandbox.ts'

/** A log line of the guest is cut to this many characters. */
const maxLogCharacters = 4096
/** What an agent logs in a start-up at level debug is some dozen lines. */
const maxLogLinesPerSecond = 200
/** Each goes to containerd and to every subscriber there. */
const maxOomEventsPerSecond = 20
/** Events that made no sense are logged up to this many times: a hostile agent must not fill the host's log. */
const maxComplaints = 20
/** An exit time this far from the host's clock is not believed. */
const maxClockErrorNs = 3_600_000_000_000n

const levels: readonly Level[] = ['error', 'warn', 'info', 'debug']

/**
 * What the agent tells unasked. The guest is hostile: an event counts only when it names something
 * of this sandbox in a state in which that can happen; anything else is logged and has no effect.
 */
export class GuestEvents {
  #complaints = 0
  readonly #logLimit = new RateLimit(maxLogLinesPerSecond)
  readonly #oomLimit = new RateLimit(maxOomEventsPerSecond)

  constructor(private readonly sandbox: Sandbox) {}

  receive(event: Event): void {
    const told = event.event
    switch (told?.$case) {
      case 'exit':
        this.#exit(told.value)
        break
      case 'streamEnd':
        this.#streamEnd(told.value.streamId, told.value.bytes)
        break
      case 'oom':
        this.#oom(told.value.containerId)
        break
      case 'log':
        this.#log(told.value)
        break
      default:
        this.#complain('an event of a kind that is not known')
    }
  }

  #exit(exit: ProcessExit): void {
    const container = this.sandbox.containers.get(exit.containerId)
    const process = exit.execId === '' ? container?.init : container?.execs.get(exit.execId)?.process
    if (!process || exit.exitStatus > 255) {
      this.#complain(`exit status ${exit.exitStatus} of unknown process ${exit.containerId}/${exit.execId}`)
      return
    }
    process.stopped({ status: exit.exitStatus, atNs: plausibleTime(exit.exitedAtNs) })
  }

  #streamEnd(id: bigint, bytes: bigint): void {
    const output = this.sandbox.output(id)
    if (output) output.setTotal(bytes)
    else this.#complain(`the end of unknown stream ${id}`)
  }

  #oom(containerId: string): void {
    if (this.sandbox.containers.has(containerId)) {
      if (this.#oomLimit.allows()) this.sandbox.ports.events.publish('oom', { containerId })
    } else this.#complain(`out of memory in unknown container ${containerId}`)
  }

  #log(line: LogLine): void {
    if (!this.#logLimit.allows()) return
    const held = this.#logLimit.takeHeld()
    if (held > 0) this.sandbox.ports.log.warn(`${held} log lines of the agent were left out: too many at once`)
    const level = levels.find(known => known === line.level) ?? 'info'
    this.sandbox.ports.log[level](line.message.slice(0, maxLogCharacters), { source: 'agent', fields: line.fields.slice(0, maxLogCharacters) })
  }

  #complain(what: string): void {
    if (this.#complaints++ < maxComplaints) this.sandbox.ports.log.warn(`the agent told ${what.slice(0, 300)}`)
  }
}

/** The guest's time where it is near the host's, which is what users compare it with. */
function plausibleTime(guestNs: bigint): bigint {
  const nowNs = realtimeNs()
  const offNs = guestNs > nowNs ? guestNs - nowNs : nowNs - guestNs
  return offNs > maxClockErrorNs ? nowNs : guestNs
}
