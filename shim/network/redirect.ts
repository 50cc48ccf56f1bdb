import * as sys from 'native:sys'
import { AT_FDCWD, O_TRUNC, O_WRONLY } from '../../native/ts/constants/fcntl.ts'
import { E } from '../../native/ts/errno.ts'
import { Fault } from '../../native/ts/fault.ts'
import type { Fd } from '../../native/ts/fd.ts'
import { linkGet, type LinkInfo, linkSet } from '../../protocol/netlink/link.ts'
import { NetlinkRefusal, type NetlinkSession } from '../../protocol/netlink/session.ts'
import { ingressAdd, ingressDelete, redirectAdd } from '../../protocol/netlink/traffic.ts'
import type { Journal } from '../journal.ts'
import type { Netns } from './netns.ts'
import { openTap } from './tap.ts'

/** Where an interface is connected: the current namespace is `netns`. */
export interface ConnectPlace {
  netns: Netns
  journal: Journal
  stateDir: string
}

/** A tap beside `link`, and redirects between them; the caller owns the tap's descriptor. Throws Fault, SysError or NetlinkRefusal. */
export function connectByTc(session: NetlinkSession, link: LinkInfo, { netns, journal }: ConnectPlace): Fd {
  const { fd, name } = openTap()
  try {
    const index = indexOf(session, name)
    silence(name)
    session.change({ what: `${name} up`, message: sequence => linkSet(index, { up: true, ...(link.mtu !== undefined && { mtu: link.mtu }) }, sequence) })
    journal.record({ kind: 'redirect', path: netns.path, inode: netns.inode, index: link.index, name: link.name })
    addRedirects(session, link, { index, name })
    return fd
  } catch (error) {
    fd.close()
    throw error
  }
}

/** The host's stack has nothing to say on our interfaces: a router solicitation of its own would reach the guest, or come as if from it. */
export function silence(name: string): void {
  sys.writeFile(AT_FDCWD, `/proc/sys/net/ipv6/conf/${name}/disable_ipv6`, '1', O_WRONLY | O_TRUNC, 0)
}

/** The interface's index in the session's network namespace. Throws NetlinkRefusal (ENODEV), Fault. */
export function indexOf(session: NetlinkSession, name: string): number {
  const answer = session.ask(`link ${name}`, sequence => linkGet(name, sequence))[0]
  if (answer?.kind !== 'link') throw new Fault(`rtnetlink: expected the link ${name}, received ${answer?.kind ?? 'nothing'}`)
  return answer.link.index
}

/** Whether a kernel says so that has no traffic control, ingress qdisc, u32 or mirred (net/sched/sch_api.c, cls_api.c). */
export function isWithoutTc(error: unknown): boolean {
  return isRefusal(error, E.ENOENT, E.EOPNOTSUPP)
}

/**
 * Hands every packet that arrives at one interface to the other, both ways, as it is:
 *
 *   CNI's side ◀──▶ eth0 ◀── redirect ──▶ tap ◀──▶ VMM
 *
 * The host's stack keeps eth0 with its addresses but sees no packet of it, so nothing answers twice; and whatever the
 * host does to packets on CNI's side (NAT, policy, shaping) it does as for any container. Throws NetlinkRefusal.
 */
function addRedirects(session: NetlinkSession, pod: LinkEnd, tap: LinkEnd): void {
  session.change(
    { what: `ingress of ${pod.name}`, message: sequence => ingressAdd(pod.index, sequence) },
    { what: `ingress of ${tap.name}`, message: sequence => ingressAdd(tap.index, sequence) },
    { what: `redirect ${tap.name} to ${pod.name}`, message: sequence => redirectAdd(tap.index, pod.index, sequence) },
    { what: `redirect ${pod.name} to ${tap.name}`, message: sequence => redirectAdd(pod.index, tap.index, sequence) },
  )
}

interface LinkEnd {
  index: number
  name: string
}

/** Removes what addRedirects made at the pod's interface; nothing where interface or redirect are gone. Throws NetlinkRefusal. */
export function removeRedirect(session: NetlinkSession, pod: LinkEnd): void {
  try {
    session.change({ what: `removal of the ingress of ${pod.name}`, message: sequence => ingressDelete(pod.index, sequence) })
  } catch (error) {
    // ENODEV: no such interface; ENOENT and EINVAL: it has no ingress qdisc (net/sched/sch_api.c, tc_get_qdisc).
    if (!isRefusal(error, E.ENODEV, E.ENOENT, E.EINVAL)) throw error
  }
}

/** Whether the kernel refused with one of `errnos`. */
export function isRefusal(error: unknown, ...errnos: number[]): error is NetlinkRefusal {
  return error instanceof NetlinkRefusal && errnos.includes(error.errno)
}
