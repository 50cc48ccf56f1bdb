import * as sys from 'native:sys'
import { story } from '../../native/ts/fault.ts'
import type { NetworkInterface } from '../../protocol/gen/agent.ts'
import type { Attachment, Nic } from '../hypervisor/hypervisor.ts'
import type { Log } from '../log.ts'
import type { NetworkChange } from './network.ts'
import type { NetworkWatch } from './watch.ts'

/** An interface is made in several steps (link, name, address, route): the guest is told after a pause in them. */
const settleMs = 30

export interface LatePorts {
  attach: (nic: Nic) => Promise<Attachment>
  /** Tells the guest what its interfaces are to be. */
  update: (interfaces: NetworkInterface[]) => Promise<void>
}

/** The Network, as far as it is followed. */
interface Followed {
  readonly interfaces: NetworkInterface[]
  scan(): NetworkChange
  drop(id: string): void
}

/**
 * Interfaces that come, change or go while the VM runs (`docker network connect`, a hook that makes the network of a container):
 *
 *   something changed ─▶ (a pause) ─▶ scan ─▶ NICs plugged in or taken out ─▶ the guest is told
 */
export class LateInterfaces {
  readonly #attachments = new Map<string, Attachment>()
  #working: Promise<void> = Promise.resolve()
  #timer: number | undefined

  /** Borrows `watch`. */
  constructor(private readonly network: Followed, private readonly watch: NetworkWatch, private readonly ports: LatePorts, private readonly log: Log) {
    watch.mark()
    watch.onChange(() => {
      this.#timer ??= sys.setTimer(settleMs, () => {
        this.#timer = undefined
        this.refresh().catch((error: unknown) => log.error(`the guest's network does not follow the pod's: ${story(error)}`))
      })
    })
  }

  /** Resolves when the guest has what the namespace has now. Rejects with what could not be brought there; everything else is. */
  refresh(): Promise<void> {
    // One after the other: each looks at what the one before has left.
    const work = this.#working.then(() => this.#refresh())
    this.#working = work.catch(() => {})
    return work
  }

  async #refresh(): Promise<void> {
    if (!this.watch.take()) return
    const { added, removed, isChanged } = this.network.scan()
    for (const id of removed) await this.#detach(id)
    const failures: unknown[] = []
    for (const nic of added) await this.#attach(nic).catch((error: unknown) => failures.push(error))
    if (isChanged) await this.ports.update(this.network.interfaces)
    if (failures.length > 0) throw failures[0]
  }

  async #attach(nic: Nic): Promise<void> {
    try {
      this.#attachments.set(nic.id, await this.ports.attach(nic))
    } catch (error) {
      this.network.drop(nic.id)
      throw error
    } finally {
      nic.tap.close()
    }
  }

  /** A NIC that was there at boot stays, without a link on the host: only root ports give their devices back. */
  async #detach(id: string): Promise<void> {
    const attachment = this.#attachments.get(id)
    this.#attachments.delete(id)
    await attachment?.detach().catch((error: unknown) => this.log.warn(`a network device stays in the guest: ${story(error)}`))
  }
}
