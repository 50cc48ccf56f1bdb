import { E } from '../../native/ts/errno.ts'
import { NetlinkRefusal, type NetlinkSession } from '../../protocol/netlink/session.ts'
import { ingressAdd, ingressDelete, redirectAdd } from '../../protocol/netlink/traffic.ts'

/**
 * Hands every packet that arrives at one interface to the other, both ways, as it is:
 *
 *   CNI's side ◀──▶ eth0 ◀── redirect ──▶ tap ◀──▶ VMM
 *
 * The host's stack keeps eth0 with its addresses but sees no packet of it, so nothing answers twice; and whatever the
 * host does to packets on CNI's side (NAT, policy, shaping) it does as for any container. Throws NetlinkRefusal.
 */
export function addRedirects(session: NetlinkSession, pod: LinkEnd, tap: LinkEnd): void {
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

export function isRefusal(error: unknown, ...errnos: number[]): error is NetlinkRefusal {
  return error instanceof NetlinkRefusal && errnos.includes(error.errno)
}
