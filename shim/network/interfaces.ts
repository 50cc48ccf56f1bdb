import { readTextIfPresent } from '../../native/ts/file.ts'
import { type Answer } from '../../protocol/netlink/answer.ts'
import { addressDump, type AddressInfo } from '../../protocol/netlink/address.ts'
import { AF_INET, AF_INET6, parseMac } from '../../protocol/netlink/ip.ts'
import { linkDump, type LinkInfo } from '../../protocol/netlink/link.ts'
import { neighbourDump, type NeighbourInfo } from '../../protocol/netlink/neighbour.ts'
import { routeDump, type RouteInfo } from '../../protocol/netlink/route.ts'
import type { NetlinkSession } from '../../protocol/netlink/session.ts'
import type { InterfaceAddress, NetworkInterface, Route } from '../../protocol/gen/agent.ts'

/** include/uapi/linux/rtnetlink.h */
const RTN_UNICAST = 1
const RTPROT_KERNEL = 2
const RTPROT_RA = 9
const RT_TABLE_LOCAL = 255
/** include/uapi/linux/neighbour.h */
const NUD_PERMANENT = 0x80

/** What the shim makes itself, or sees of its own making (macvtap on the interface below). */
const ownTypes: readonly string[] = ['tun', 'macvtap']

/** An interface of the pod, and what the guest is to have of it. */
export interface PodInterface {
  link: LinkInfo
  settings: NetworkInterface
}

/** What of a namespace cannot be brought into a guest is told to `leftOut`. */
export type LeftOut = (what: string) => void

/**
 * The interfaces that CNI (or whoever) has made in the namespace of `session`: what sends Ethernet frames, is in use, and is no
 * part of another one. What every namespace has by itself (lo, the tunnels' fallback devices) is none.
 */
export function readInterfaces(session: NetlinkSession, leftOut: LeftOut): PodInterface[] {
  const links = pick(session.ask('dump of links', linkDump), 'link').map(answer => answer.link)
  const addresses = pick(session.ask('dump of addresses', addressDump), 'address').map(answer => answer.address)
  const chosen = links.filter(link => isPodInterface(link, addresses))
  if (chosen.length === 0) return []
  const routes = pick(session.ask('dump of routes', routeDump), 'route').map(answer => answer.route).filter(isConfigured)
  for (const route of routes) if (route.isComplex) leftOut(`a route of table ${route.table} with several next hops, or one of another family`)
  const neighbours = pick(session.ask('dump of neighbours', neighbourDump), 'neighbour').map(answer => answer.neighbour)
  return chosen.map(link => ({ link, settings: settingsOf(link, addresses, routes, neighbours) }))
}

function pick<K extends Answer['kind']>(answers: readonly Answer[], kind: K): Extract<Answer, { kind: K }>[] {
  return answers.filter((answer): answer is Extract<Answer, { kind: K }> => answer.kind === kind)
}

function isPodInterface(link: LinkInfo, addresses: readonly AddressInfo[]): boolean {
  if (!link.isEthernet || link.mac === undefined || link.master !== undefined || ownTypes.includes(link.type ?? '')) return false
  return link.isUp || addresses.some(address => address.index === link.index)
}

/** What somebody set: the kernel's own routes come with the addresses, a router's with its next advertisement. */
function isConfigured(route: RouteInfo): boolean {
  return route.type === RTN_UNICAST && route.table !== RT_TABLE_LOCAL && route.protocol !== RTPROT_KERNEL && route.protocol !== RTPROT_RA
}

function settingsOf(link: LinkInfo, addresses: readonly AddressInfo[], routes: readonly RouteInfo[], neighbours: readonly NeighbourInfo[]): NetworkInterface {
  const own = addresses.filter(address => address.index === link.index && !address.isAdvertised)
  return {
    mac: parseMac(link.mac ?? ''),
    name: link.name,
    mtu: link.mtu ?? 0,
    ipv6Disabled: isIpv6Disabled(link.name),
    addresses: own.map(addressOf),
    routes: routes.filter(route => route.index === link.index && !route.isComplex).map(routeOf),
    neighbours: neighbours
      .filter(entry => entry.index === link.index && (entry.state & NUD_PERMANENT) !== 0 && entry.mac !== undefined)
      .map(entry => ({ address: entry.address, mac: parseMac(entry.mac ?? '') })),
  }
}

/** Of the current namespace, as /proc/sys/net always is. Without IPv6 in the host's kernel there is no such file. */
function isIpv6Disabled(name: string): boolean {
  return readTextIfPresent(`/proc/sys/net/ipv6/conf/${name}/disable_ipv6`, 16)?.trim() !== '0'
}

const nothing = new Uint8Array(0)

function addressOf({ prefix, peer, scope, noPrefixRoute }: AddressInfo): InterfaceAddress {
  return { address: prefix.address, prefixLength: prefix.length, peer: peer ?? nothing, scope: scope ?? 0, noPrefixRoute: noPrefixRoute ?? false }
}

const addressBytes: Readonly<Record<number, number>> = { [AF_INET]: 4, [AF_INET6]: 16 }

function routeOf(route: RouteInfo): Route {
  return {
    destination: route.destination?.address ?? new Uint8Array(addressBytes[route.family] ?? 4),
    prefixLength: route.destination?.length ?? 0,
    gateway: route.gateway ?? nothing,
    source: route.source ?? nothing,
    priority: route.priority ?? 0,
    scope: route.scope ?? 0,
    onLink: route.isOnLink ?? false,
    table: route.table,
    mtu: route.mtu ?? 0,
    advmss: route.advmss ?? 0,
  }
}
