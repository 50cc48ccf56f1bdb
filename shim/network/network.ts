import { errnoName } from '../../native/ts/errno.ts'
import { Fault, story } from '../../native/ts/fault.ts'
import type { Fd } from '../../native/ts/fd.ts'
import { RtNetlink } from '../../native/ts/rtnetlink.ts'
import type { NetworkInterface } from '../../protocol/gen/agent.ts'
import { NetlinkSession } from '../../protocol/netlink/session.ts'
import type { Nic } from '../hypervisor/hypervisor.ts'
import type { Journal } from '../journal.ts'
import type { Log } from '../log.ts'
import { type PodInterface, readInterfaces } from './interfaces.ts'
import { LateInterfaces, type LatePorts } from './late.ts'
import { disconnect } from './left.ts'
import { connectByMacvtap } from './macvtap.ts'
import { Netns } from './netns.ts'
import { PortForward, type PortForwardPorts } from './port-forward.ts'
import { connectByTc, isWithoutTc, removeRedirect } from './redirect.ts'
import { NetworkWatch } from './watch.ts'

/** A PCI bus has 32 places, and other devices need some. */
const maxInterfaces = 16

/** What has changed in the namespace since it was last looked at. */
export interface NetworkChange {
  /** Their taps are the caller's. */
  added: Nic[]
  /** Ids of NICs whose interface is gone. */
  removed: string[]
  /** Whether the guest is to be told anything. */
  isChanged: boolean
}

interface Connected extends PodInterface {
  id: string
  model: 'tc' | 'macvtap'
}

export interface NetworkPlace {
  journal: Journal
  log: Log
  /** Private directory (0700). */
  stateDir: string
  /** `auto`: tc, and macvtap where the host's kernel lacks it. */
  model: 'auto' | 'tc' | 'macvtap'
}

/**
 * The pod's network: what CNI made in the namespace, brought to the VM.
 *
 *   connect: a tap beside each interface, packets redirected (or macvtap) ─▶ (the VMM has the taps) ─▶ close
 *                                     follow: the same for what comes later ─┘
 *
 * A tap goes with its last descriptor, so what needs removal is the redirect at CNI's interface: journaled, since it
 * outlives a killed shim. Close it after the VM.
 */
export class Network {
  #connected: Connected[] = []
  #lastId = -1
  #watch: NetworkWatch | undefined
  #late: LateInterfaces | undefined
  /** Of the VMM, where the pod was given none: networks are then added to whatever namespace the sandbox's process is in. */
  #isVmms = false

  /** Takes ownership of `netns`. Makes nothing. */
  constructor(private netns: Netns | undefined, private readonly place: NetworkPlace) {}

  /** What the guest is to be told of the connected interfaces. */
  get interfaces(): NetworkInterface[] {
    return this.#connected.map(each => each.settings)
  }

  /**
   * Makes taps and redirects; the caller owns the descriptors of the taps. None where there is no namespace, or no interface but
   * loopback in it. Throws Fault, SysError or NetlinkRefusal; close() undoes what was done until then.
   */
  connect(): Nic[] {
    const { netns } = this
    // Watched before it is read: what comes between is not lost.
    if (netns) this.#watch ??= netns.run(() => new NetworkWatch())
    return netns ? this.scan().added : []
  }

  /** Compares the namespace with what is connected, and connects what is new. Throws as connect() does. */
  scan(): NetworkChange {
    const { netns } = this
    if (!netns) return { added: [], removed: [], isChanged: false }
    return netns.run(() => {
      using socket = new RtNetlink()
      const session = new NetlinkSession(socket, errnoName)
      const found = readInterfaces(session, what => this.place.log.warn(`the guest does not get ${what}`))
      if (found.length > maxInterfaces) throw new Fault(`${netns.path} has ${found.length} interfaces; a VM takes ${maxInterfaces}`)
      const gone = this.#connected.filter(each => !found.some(({ link }) => link.index === each.link.index))
      this.#connected = this.#connected.filter(each => !gone.includes(each))
      const isChanged = this.#takeSettings(found)
      const added = this.#connectAll(session, netns, found.filter(({ link }) => !this.#connected.some(each => each.link.index === link.index)))
      return { added, removed: gone.map(each => each.id), isChanged: isChanged || added.length > 0 }
    })
  }

  /**
   * From now on what changes in the namespace changes in the guest. `vmmPid`: whose namespace counts where the pod was given none.
   * Throws Fault or SysError.
   */
  follow(vmmPid: number, ports: LatePorts): void {
    if (!this.netns) {
      this.netns = Netns.open(`/proc/${vmmPid}/ns/net`, this.place.log)
      this.#isVmms = true
      this.#watch = this.netns.run(() => new NetworkWatch())
    }
    if (this.#watch) this.#late = new LateInterfaces(this, this.#watch, ports, this.place.log)
  }

  /** Resolves when the guest has what the namespace has now; rejects when it cannot be given that. */
  async refresh(): Promise<void> {
    await this.#late?.refresh()
  }

  /** Brings connections to the namespace's loopback to the guest's; the caller owns the result. Undefined, and told, where the host's kernel cannot. */
  forwardPorts(ports: Omit<PortForwardPorts, 'log'>): PortForward | undefined {
    if (!this.netns || this.#isVmms) return undefined
    try {
      return new PortForward(this.netns, { ...ports, log: this.place.log })
    } catch (error) {
      this.place.log.warn(`port-forward to this sandbox does not work: it needs a host kernel with BPF sk_lookup programs (5.9): ${story(error)}`)
      return undefined
    }
  }

  /** Takes back the redirects of NIC `id`, which the VM could not be given. */
  drop(id: string): void {
    const dropped = this.#connected.filter(each => each.id === id)
    this.#connected = this.#connected.filter(each => each.id !== id)
    if (this.netns) disconnect(this.netns, dropped)
  }

  /** Removes the redirects. Idempotent. Throws NetlinkRefusal or SysError. */
  close(): void {
    this.#watch?.[Symbol.dispose]()
    const { netns } = this
    const connected = this.#connected.splice(0)
    try {
      if (netns && connected.length > 0) disconnect(netns, connected)
    } finally {
      netns?.[Symbol.dispose]()
    }
  }

  [Symbol.dispose](): void {
    this.close()
  }

  /** Notes what is new about connected interfaces; whether anything is. */
  #takeSettings(found: readonly PodInterface[]): boolean {
    let isChanged = false
    for (const each of this.#connected) {
      const now = found.find(({ link }) => link.index === each.link.index)
      if (!now || JSON.stringify(now.settings) === JSON.stringify(each.settings)) continue
      each.settings = now.settings
      isChanged = true
    }
    return isChanged
  }

  #connectAll(session: NetlinkSession, netns: Netns, pods: readonly PodInterface[]): Nic[] {
    const nics: Nic[] = []
    try {
      for (const each of pods) nics.push(this.#connectOne(session, netns, each))
      return nics
    } catch (error) {
      for (const nic of nics) nic.tap.close()
      throw error
    }
  }

  #connectOne(session: NetlinkSession, netns: Netns, pod: PodInterface): Nic {
    const { link } = pod
    const id = `net${++this.#lastId}`
    // From here on close() takes back what there is of it.
    const connected: Connected = { ...pod, id, model: this.place.model === 'macvtap' ? 'macvtap' : 'tc' }
    this.#connected.push(connected)
    try {
      return { kind: 'nic', id, tap: this.#tapOf(session, netns, connected), mac: link.mac ?? '', mtu: link.mtu ?? 0 }
    } catch (cause) {
      throw new Fault(`interface ${link.name} of ${netns.path} cannot be connected to the VM`, { cause })
    }
  }

  #tapOf(session: NetlinkSession, netns: Netns, connected: Connected): Fd {
    const place = { ...this.place, netns }
    if (connected.model === 'tc') {
      try {
        return connectByTc(session, connected.link, place)
      } catch (error) {
        if (this.place.model === 'tc' || !isWithoutTc(error)) throw error
        this.place.log.warn(`this host cannot redirect packets (${story(error)}): macvtap is used`)
        removeRedirect(session, connected.link)
        connected.model = 'macvtap'
      }
    }
    return connectByMacvtap(session, connected.link, place)
  }
}
