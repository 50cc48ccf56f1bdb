import { realtimeNs } from '../../native/ts/clock.ts'
import type { Event, LogLine, ProcessExit } from '../../protocol/gen/agent.ts'
import type { Level } from '../log.ts'
import { RateLimit } from './rate-limit.ts'
import type { Sandbox } from './sandbox.ts'

/** A log line of the guest is cut to this many characters. */
const maxLogCharacters = 4096
/** Characters of the agent's log lines at once, and a second: a start-up at level debug takes some 10 KiB. On average it is half a gigabyte a day at most. */
const logBurst = 256 * 1024
const logPerSecond = 6 * 1024
/** What a line takes in the log besides the agent's own words. */
const logLineCharacters = 200
/** OOM events at once, and a second: each goes to containerd, to every subscriber there, and into kubelet's records. */
const oomBurst = 20
const oomPerSecond = 1
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
  readonly #logLimit = new RateLimit(logPerSecond, logBurst)
  readonly #oomLimit = new RateLimit(oomPerSecond, oomBurst)

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
    // The pause container is played by the shim, so its end is not the guest's to tell.
    if (!process || container?.isPause || exit.exitStatus > 255) {
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
    const container = this.sandbox.containers.get(containerId)
    if (container && !container.isPause) {
      if (this.#oomLimit.allows()) this.sandbox.ports.events.publish('oom', { containerId })
    } else this.#complain(`out of memory in unknown container ${containerId}`)
  }

  #log(line: LogLine): void {
    const message = line.message.slice(0, maxLogCharacters)
    const fields = line.fields.slice(0, maxLogCharacters)
    if (!this.#logLimit.allows(logLineCharacters + message.length + fields.length)) return
    const held = this.#logLimit.takeHeld()
    if (held > 0) this.sandbox.ports.log.warn(`${held} log lines of the agent were left out: too many at once`)
    const level = levels.find(known => known === line.level) ?? 'info'
    this.sandbox.ports.log[level](message, { source: 'agent', fields })
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
