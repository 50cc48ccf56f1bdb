import * as sys from 'native:sys'
import { O_TRUNC, O_WRONLY, AT_FDCWD } from '../../native/ts/constants/fcntl.ts'
import { errnoName } from '../../native/ts/errno.ts'
import { Fault, story } from '../../native/ts/fault.ts'
import { RtNetlink } from '../../native/ts/rtnetlink.ts'
import type { NetworkInterface } from '../../protocol/gen/agent.ts'
import { linkGet, linkSet } from '../../protocol/netlink/link.ts'
import { NetlinkSession } from '../../protocol/netlink/session.ts'
import type { Nic } from '../hypervisor/hypervisor.ts'
import type { Journal } from '../journal.ts'
import type { Log } from '../log.ts'
import { type PodInterface, readInterfaces } from './interfaces.ts'
import { Netns } from './netns.ts'
import { addRedirects, removeRedirect } from './redirect.ts'
import { PortForward, type PortForwardPorts } from './port-forward.ts'
import { openTap } from './tap.ts'

/** A PCI bus has 32 places, and other devices need some. */
const maxInterfaces = 16

/**
 * The pod's network: what CNI made in the namespace, brought to the VM.
 *
 *   connect: a tap beside each interface, packets redirected ─▶ (the VMM has the taps) ─▶ close
 *
 * A tap goes with its last descriptor, so what needs removal is the redirect at CNI's interface: journaled, since it
 * outlives a killed shim. Close it after the VM.
 */
export class Network {
  readonly #connected: PodInterface[] = []

  /** Takes ownership of `netns`. Makes nothing. */
  constructor(private readonly netns: Netns, private readonly journal: Journal, private readonly log: Log) {}

  /** What the guest is to be told of the connected interfaces. */
  get interfaces(): NetworkInterface[] {
    return this.#connected.map(each => each.settings)
  }

  /**
   * Makes taps and redirects; the caller owns the descriptors of the taps. None where the namespace has no interface but
   * loopback. Throws Fault, SysError or NetlinkRefusal; close() undoes what was done until then.
   */
  connect(): Nic[] {
    return this.netns.run(() => {
      using socket = new RtNetlink()
      const session = new NetlinkSession(socket, errnoName)
      const found = readInterfaces(session, what => this.log.warn(`the guest does not get ${what}`))
      if (found.length > maxInterfaces) throw new Fault(`${this.netns.path} has ${found.length} interfaces; a VM takes ${maxInterfaces}`)
      const nics: Nic[] = []
      try {
        for (const each of found) nics.push(this.#connectOne(session, each))
      } catch (error) {
        for (const nic of nics) nic.tap.close()
        throw error
      }
      return nics
    })
  }

  /** Brings connections to the namespace's loopback to the guest's; the caller owns the result. Undefined, and told, where the host's kernel cannot. */
  forwardPorts(ports: Omit<PortForwardPorts, 'log'>): PortForward | undefined {
    try {
      return new PortForward(this.netns, { ...ports, log: this.log })
    } catch (error) {
      this.log.warn(`port-forward to this sandbox does not work: it needs a host kernel with BPF sk_lookup programs (5.9): ${story(error)}`)
      return undefined
    }
  }

  /** Removes the redirects. Idempotent. Throws NetlinkRefusal or SysError. */
  close(): void {
    const connected = this.#connected.splice(0)
    try {
      if (connected.length > 0) removeRedirects(this.netns, connected.map(each => each.link))
    } finally {
      this.netns[Symbol.dispose]()
    }
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #connectOne(session: NetlinkSession, pod: PodInterface): Nic {
    const { link } = pod
    const { fd, name } = openTap()
    try {
      const index = indexOf(session, name)
      // The host's stack has nothing to say on it: a router solicitation of its own would reach the guest.
      sys.writeFile(AT_FDCWD, `/proc/sys/net/ipv6/conf/${name}/disable_ipv6`, '1', O_WRONLY | O_TRUNC, 0)
      session.change({ what: `${name} up`, message: sequence => linkSet(index, { up: true, ...(link.mtu !== undefined && { mtu: link.mtu }) }, sequence) })
      this.journal.record({ kind: 'redirect', path: this.netns.path, inode: this.netns.inode, index: link.index, name: link.name })
      this.#connected.push(pod)
      addRedirects(session, link, { index, name })
      return { kind: 'nic', id: `net${this.#connected.length - 1}`, tap: fd, mac: link.mac ?? '', mtu: link.mtu ?? 0 }
    } catch (cause) {
      fd.close()
      throw new Fault(`interface ${link.name} of ${this.netns.path} cannot be connected to the VM`, { cause })
    }
  }
}

function removeRedirects(netns: Netns, links: readonly { index: number; name: string }[]): void {
  netns.run(() => {
    using socket = new RtNetlink()
    const session = new NetlinkSession(socket, errnoName)
    for (const link of links) removeRedirect(session, link)
  })
}

/** For `delete` after a killed shim: removes a journaled redirect. Nothing where the namespace is gone. */
export function removeLeftRedirect({ path, inode, index, name }: { path: string; inode: number; index: number; name: string }): void {
  let netns: Netns
  try {
    netns = Netns.open(path)
  } catch {
    // Removed, or replaced by something else: the redirect went with it.
    return
  }
  using opened = netns
  if (opened.inode === inode) removeRedirects(opened, [{ index, name }])
}

function indexOf(session: NetlinkSession, name: string): number {
  const answer = session.ask(`link ${name}`, sequence => linkGet(name, sequence))[0]
  if (answer?.kind !== 'link') throw new Fault(`rtnetlink: expected the link ${name}, received ${answer?.kind ?? 'nothing'}`)
  return answer.link.index
}
