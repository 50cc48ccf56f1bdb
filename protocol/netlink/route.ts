import { type Attribute, bytes, nested, NetlinkError, parseAttributes, readU32, u32 } from './attribute.ts'
import { AF_INET, AF_INET6, familyOf, type Prefix } from './ip.ts'
import { NLM_F_CREATE, NLM_F_DUMP, NLM_F_REPLACE, request, RTM } from './message.ts'

/** include/uapi/linux/rtnetlink.h */
const RTA_DST = 1
const RTA_OIF = 4
const RTA_GATEWAY = 5
const RTA_PRIORITY = 6
const RTA_PREFSRC = 7
const RTA_METRICS = 8
const RTA_MULTIPATH = 9
const RTA_TABLE = 15
const RTA_VIA = 18
const RTAX_MTU = 2
const RTAX_ADVMSS = 8
const RT_TABLE_MAIN = 254
/** The fixed part has room for a byte: RT_TABLE_COMPAT says that the attribute tells. */
const RT_TABLE_COMPAT = 252
const RTPROT_BOOT = 3
const RT_SCOPE_UNIVERSE = 0
const RT_SCOPE_LINK = 253
const RTN_UNICAST = 1
/** The gateway is on the link, although no address of the interface says so. */
const RTNH_F_ONLINK = 4
/** struct rtmsg */
const fixedBytes = 12

/** A way to a network. */
export interface Route {
  /** Undefined: the default route, of `gateway`'s family. */
  destination: Prefix | undefined
  /** Undefined: the network is on the link. */
  gateway: Uint8Array | undefined
  /** The interface's index. */
  index: number
  /** The address that packets are sent from. */
  source?: Uint8Array
  priority?: number
  isOnLink?: boolean
  /** RT_SCOPE_*; 253 is this link. Undefined: what the gateway says. */
  scope?: number
  /** Undefined: the main table. */
  table?: number
  /** Bytes of a packet, and of a TCP segment, on this way. */
  mtu?: number
  advmss?: number
}

/** A route as the kernel tells it. */
export interface RouteInfo extends Route {
  /** AF_INET or AF_INET6. */
  family: number
  /** Several next hops, or one of the other family: what Route cannot say. */
  isComplex: boolean
  table: number
  /** RTN_*: 1 is a unicast route; local and broadcast ones are the kernel's own. */
  type: number
  /** RTPROT_*: 2 is the kernel's own. */
  protocol: number
}

function rtmsg(route: Route): Uint8Array {
  const known = route.destination?.address ?? route.gateway ?? route.source
  const fixed = new Uint8Array(fixedBytes)
  fixed[0] = known ? familyOf(known) : AF_INET
  fixed[1] = route.destination?.length ?? 0
  const table = route.table ?? RT_TABLE_MAIN
  fixed[4] = table < 256 ? table : RT_TABLE_COMPAT
  fixed[5] = RTPROT_BOOT
  // IPv6 has no scopes of routes.
  fixed[6] = fixed[0] === AF_INET6 ? RT_SCOPE_UNIVERSE : route.scope ?? (route.gateway ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK)
  fixed[7] = RTN_UNICAST
  new DataView(fixed.buffer).setUint32(8, route.isOnLink ? RTNH_F_ONLINK : 0, true)
  return fixed
}

function attributesOf(route: Route): Attribute[] {
  const attributes = [u32(RTA_OIF, route.index)]
  if (route.destination && route.destination.length > 0) attributes.push(bytes(RTA_DST, route.destination.address))
  if (route.gateway) attributes.push(bytes(RTA_GATEWAY, route.gateway))
  if (route.source) attributes.push(bytes(RTA_PREFSRC, route.source))
  if (route.priority !== undefined) attributes.push(u32(RTA_PRIORITY, route.priority))
  if (route.table !== undefined && route.table > 255) attributes.push(u32(RTA_TABLE, route.table))
  const metrics = [...route.mtu ? [u32(RTAX_MTU, route.mtu)] : [], ...route.advmss ? [u32(RTAX_ADVMSS, route.advmss)] : []]
  if (metrics.length > 0) attributes.push(nested(RTA_METRICS, metrics))
  return attributes
}

/** Adds a route, or replaces the one to the same destination. */
export function routeAdd(route: Route, sequence: number): Uint8Array {
  return request(RTM.NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, sequence, rtmsg(route), attributesOf(route))
}

/** RTM_DELROUTE. */
export function routeDelete(route: Route, sequence: number): Uint8Array {
  return request(RTM.DELROUTE, 0, sequence, rtmsg(route), attributesOf(route))
}

/** Asks for all routes of the network namespace, of all tables and both families. */
export function routeDump(sequence: number): Uint8Array {
  return request(RTM.GETROUTE, NLM_F_DUMP, sequence, new Uint8Array(fixedBytes), [])
}

/** Reads a RTM_NEWROUTE or RTM_DELROUTE. Throws NetlinkError. */
export function parseRoute(body: Uint8Array): RouteInfo {
  if (body.length < fixedBytes) throw new NetlinkError(`route message has ${body.length} bytes; must be ${fixedBytes} at least`)
  const view = new DataView(body.buffer, body.byteOffset, body.length)
  const attributes = parseAttributes(body.subarray(fixedBytes))
  const address = attributes.get(RTA_DST)
  const source = attributes.get(RTA_PREFSRC)
  const priority = readU32(attributes.get(RTA_PRIORITY))
  const metrics = parseAttributes(attributes.get(RTA_METRICS) ?? new Uint8Array(0))
  const [mtu, advmss] = [readU32(metrics.get(RTAX_MTU)), readU32(metrics.get(RTAX_ADVMSS))]
  return {
    family: view.getUint8(0),
    isComplex: attributes.has(RTA_MULTIPATH) || attributes.has(RTA_VIA),
    destination: address ? { address, length: view.getUint8(1) } : undefined,
    gateway: attributes.get(RTA_GATEWAY),
    index: readU32(attributes.get(RTA_OIF)) ?? 0,
    ...(source && { source }),
    ...(priority !== undefined && { priority }),
    ...(mtu !== undefined && { mtu }),
    ...(advmss !== undefined && { advmss }),
    isOnLink: (view.getUint32(8, true) & RTNH_F_ONLINK) !== 0,
    scope: view.getUint8(6),
    table: readU32(attributes.get(RTA_TABLE)) ?? view.getUint8(4),
    protocol: view.getUint8(5),
    type: view.getUint8(7),
  }
}
