import { bytes, NetlinkError, parseAttributes, readU32, u32 } from './attribute.ts'
import { AF_INET, familyOf, type Prefix } from './ip.ts'
import { NLM_F_CREATE, NLM_F_DUMP, NLM_F_REPLACE, request, RTM } from './message.ts'

/** include/uapi/linux/if_addr.h */
const IFA_ADDRESS = 1
const IFA_LOCAL = 2
const IFA_BROADCAST = 4
const IFA_FLAGS = 8
/** No duplicate address detection: the address is usable at once. */
const IFA_F_NODAD = 0x02
/** Without it, the address's time is limited. */
const IFA_F_PERMANENT = 0x80
/** No route to the address's network comes with it. */
const IFA_F_NOPREFIXROUTE = 0x200
/** struct ifaddrmsg */
const fixedBytes = 8
/** IPv4 networks of 31 and 32 bits have no broadcast address (RFC 3021). */
const broadcastLengthMax = 30

/** What an address has besides itself. */
export interface AddressOptions {
  /** The other end of a point-to-point link. */
  peer?: Uint8Array
  /** RT_SCOPE_*: 0 is everywhere, 253 this link. */
  scope?: number
  /** No route to the address's network comes with it. */
  noPrefixRoute?: boolean
}

/** An interface's address. */
export interface AddressInfo extends AddressOptions {
  index: number
  prefix: Prefix
  /** It was made from a router's advertisement, and comes and goes with that. */
  isAdvertised?: boolean
}

function ifaddrmsg(index: number, { address, length }: Prefix, scope = 0): Uint8Array {
  const fixed = new Uint8Array(fixedBytes)
  fixed[0] = familyOf(address)
  fixed[1] = length
  fixed[2] = fixed[0] === AF_INET ? 0 : IFA_F_NODAD
  fixed[3] = scope
  new DataView(fixed.buffer).setUint32(4, index, true)
  return fixed
}

/** Gives an interface an address; one that it has already is kept. IPv4 gets its network's broadcast address. */
export function addressAdd(index: number, prefix: Prefix, sequence: number, { peer, scope, noPrefixRoute }: AddressOptions = {}): Uint8Array {
  const { address, length } = prefix
  const isIpv4 = familyOf(address) === AF_INET
  const attributes = [bytes(IFA_LOCAL, address), bytes(IFA_ADDRESS, peer ?? address)]
  if (isIpv4 && !peer && length <= broadcastLengthMax) attributes.push(bytes(IFA_BROADCAST, broadcastOf(address, length)))
  // The attribute takes the place of the fixed part's flags.
  if (noPrefixRoute) attributes.push(u32(IFA_FLAGS, IFA_F_NOPREFIXROUTE | (isIpv4 ? 0 : IFA_F_NODAD)))
  return request(RTM.NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, sequence, ifaddrmsg(index, prefix, scope), attributes)
}

/** RTM_DELADDR. */
export function addressDelete(index: number, prefix: Prefix, sequence: number): Uint8Array {
  return request(RTM.DELADDR, 0, sequence, ifaddrmsg(index, prefix), [bytes(IFA_LOCAL, prefix.address)])
}

/** Asks for all addresses of the network namespace, of both families. */
export function addressDump(sequence: number): Uint8Array {
  return request(RTM.GETADDR, NLM_F_DUMP, sequence, new Uint8Array(fixedBytes), [])
}

/** Reads a RTM_NEWADDR or RTM_DELADDR. Throws NetlinkError. */
export function parseAddress(body: Uint8Array): AddressInfo {
  if (body.length < fixedBytes) throw new NetlinkError(`address message has ${body.length} bytes; must be ${fixedBytes} at least`)
  const view = new DataView(body.buffer, body.byteOffset, body.length)
  const attributes = parseAttributes(body.subarray(fixedBytes))
  // On a point-to-point link IFA_ADDRESS is the peer's; IPv6 has no IFA_LOCAL elsewhere.
  const far = attributes.get(IFA_ADDRESS)
  const address = attributes.get(IFA_LOCAL) ?? far ?? new Uint8Array(0)
  const flags = readU32(attributes.get(IFA_FLAGS)) ?? view.getUint8(2)
  return {
    index: view.getUint32(4, true),
    prefix: { address, length: view.getUint8(1) },
    scope: view.getUint8(3),
    ...(far && far.some((byte, at) => byte !== address[at]) && { peer: far }),
    ...((flags & IFA_F_NOPREFIXROUTE) !== 0 && { noPrefixRoute: true }),
    ...(address.length === 16 && (flags & IFA_F_PERMANENT) === 0 && { isAdvertised: true }),
  }
}

function broadcastOf(address: Uint8Array, length: number): Uint8Array {
  return address.map((byte, i) => byte | (255 >> Math.min(8, Math.max(0, length - 8 * i))))
}
