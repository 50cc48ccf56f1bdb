import { type Attribute, bytes, nested, NetlinkError, parseAttributes, readText, readU32, text, u32 } from './attribute.ts'
import { formatMac } from './ip.ts'
import { NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, request, RTM } from './message.ts'

/** include/uapi/linux/if_link.h */
const IFLA_ADDRESS = 1
const IFLA_IFNAME = 3
const IFLA_MTU = 4
const IFLA_LINK = 5
const IFLA_MASTER = 10
const IFLA_LINKINFO = 18
const IFLA_NET_NS_FD = 28
const IFLA_INFO_KIND = 1
const IFLA_INFO_DATA = 2
const IFLA_MACVLAN_MODE = 1
const MACVLAN_MODE_PASSTHRU = 8
/** include/uapi/linux/veth.h */
const VETH_INFO_PEER = 1
/** include/uapi/linux/if.h */
const IFF_UP = 1
/** include/uapi/linux/if_arp.h */
const ARPHRD_ETHER = 1
/** struct ifinfomsg, include/uapi/linux/rtnetlink.h */
const fixedBytes = 16
/** IFNAMSIZ without the NUL, include/uapi/linux/if.h */
const nameBytesMax = 15

/** A network interface as the kernel tells it. */
export interface LinkInfo {
  index: number
  name: string
  isUp: boolean
  isEthernet: boolean
  /** Index of the bridge, bond or the like that it is a port of; undefined: of none. */
  master: number | undefined
  mtu: number | undefined
  /** xx:xx:xx:xx:xx:xx; undefined: it has none. */
  mac: string | undefined
  /** veth, tun, bridge …; undefined for hardware and loopback. */
  type: string | undefined
}

/** struct ifinfomsg. `change` says which of `flags` are meant. */
function ifinfomsg(index: number, flags = 0, change = 0): Uint8Array {
  const fixed = new Uint8Array(fixedBytes)
  const view = new DataView(fixed.buffer)
  view.setInt32(4, index, true)
  view.setUint32(8, flags, true)
  view.setUint32(12, change, true)
  return fixed
}

function named(name: string): Attribute {
  if (name === '' || name.length > nameBytesMax || /[\s/\0]/.test(name)) throw new RangeError(`${JSON.stringify(name)} is no name of a network interface`)
  return text(IFLA_IFNAME, name)
}

/** Asks for one link. The answers: `link`, then `ack`; or `error` with ENODEV. */
export function linkGet(name: string, sequence: number): Uint8Array {
  return request(RTM.GETLINK, 0, sequence, ifinfomsg(0), [named(name)])
}

/** Asks for all links of the network namespace. */
export function linkDump(sequence: number): Uint8Array {
  return request(RTM.GETLINK, NLM_F_DUMP, sequence, ifinfomsg(0), [])
}

/** What is to be changed; all at once. A link can be renamed only while it is down. */
export interface LinkChange {
  up?: boolean
  name?: string
  mtu?: number
  mac?: Uint8Array
  /** Moves it there; the fd is borrowed. */
  netnsFd?: number
}

/** RTM_NEWLINK of a link that exists: only what `change` names changes. */
export function linkSet(index: number, change: LinkChange, sequence: number): Uint8Array {
  const attributes: Attribute[] = []
  if (change.name !== undefined) attributes.push(named(change.name))
  if (change.mtu !== undefined) attributes.push(u32(IFLA_MTU, change.mtu))
  if (change.mac !== undefined) attributes.push(bytes(IFLA_ADDRESS, change.mac))
  if (change.netnsFd !== undefined) attributes.push(u32(IFLA_NET_NS_FD, change.netnsFd))
  const fixed = change.up === undefined ? ifinfomsg(index) : ifinfomsg(index, change.up ? IFF_UP : 0, IFF_UP)
  return request(RTM.NEWLINK, 0, sequence, fixed, attributes)
}

/** Brings a link up. The loopback interface has index 1 in every network namespace. */
export function linkSetUp(index: number, sequence: number): Uint8Array {
  return linkSet(index, { up: true }, sequence)
}

/** A new pair of virtual Ethernet interfaces; the peer in another network namespace when `peerNetnsFd` is given. */
export function vethAdd(name: string, peerName: string, sequence: number, peerNetnsFd?: number): Uint8Array {
  const peer = [named(peerName), ...(peerNetnsFd === undefined ? [] : [u32(IFLA_NET_NS_FD, peerNetnsFd)])]
  return request(RTM.NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sequence, ifinfomsg(0), [
    named(name),
    nested(IFLA_LINKINFO, [
      text(IFLA_INFO_KIND, 'veth'),
      nested(IFLA_INFO_DATA, [nested(VETH_INFO_PEER, peer, ifinfomsg(0))]),
    ]),
  ])
}

/** A macvtap interface that has all packets of the interface `lowerIndex` to itself, with its address. */
export function macvtapAdd(name: string, lowerIndex: number, sequence: number): Uint8Array {
  return request(RTM.NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sequence, ifinfomsg(0), [
    named(name),
    u32(IFLA_LINK, lowerIndex),
    nested(IFLA_LINKINFO, [text(IFLA_INFO_KIND, 'macvtap'), nested(IFLA_INFO_DATA, [u32(IFLA_MACVLAN_MODE, MACVLAN_MODE_PASSTHRU)])]),
  ])
}

/** RTM_DELLINK. */
export function linkDelete(index: number, sequence: number): Uint8Array {
  return request(RTM.DELLINK, 0, sequence, ifinfomsg(index), [])
}

/** Reads a RTM_NEWLINK or RTM_DELLINK. Throws NetlinkError. */
export function parseLink(body: Uint8Array): LinkInfo {
  if (body.length < fixedBytes) throw new NetlinkError(`link message has ${body.length} bytes; must be ${fixedBytes} at least`)
  const view = new DataView(body.buffer, body.byteOffset, body.length)
  const attributes = parseAttributes(body.subarray(fixedBytes))
  const info = attributes.get(IFLA_LINKINFO)
  const mac = attributes.get(IFLA_ADDRESS)
  return {
    index: view.getInt32(4, true),
    name: readText(attributes.get(IFLA_IFNAME)) ?? '',
    isUp: (view.getUint32(8, true) & IFF_UP) !== 0,
    isEthernet: view.getUint16(2, true) === ARPHRD_ETHER,
    master: readU32(attributes.get(IFLA_MASTER)),
    mtu: readU32(attributes.get(IFLA_MTU)),
    mac: mac && mac.length > 0 ? formatMac(mac) : undefined,
    type: info ? readText(parseAttributes(info).get(IFLA_INFO_KIND)) : undefined,
  }
}
