import { bytes, NetlinkError, parseAttributes } from './attribute.ts'
import { AF_INET, familyOf, type Prefix } from './ip.ts'
import { NLM_F_CREATE, NLM_F_DUMP, NLM_F_REPLACE, request, RTM } from './message.ts'

/** include/uapi/linux/if_addr.h */
const IFA_ADDRESS = 1
const IFA_LOCAL = 2
const IFA_BROADCAST = 4
/** No duplicate address detection: the address is usable at once. */
const IFA_F_NODAD = 0x02
/** struct ifaddrmsg */
const fixedBytes = 8
/** IPv4 networks of 31 and 32 bits have no broadcast address (RFC 3021). */
const broadcastLengthMax = 30

/** An interface's address. */
export interface AddressInfo {
  index: number
  prefix: Prefix
}

function ifaddrmsg(index: number, { address, length }: Prefix): Uint8Array {
  const fixed = new Uint8Array(fixedBytes)
  fixed[0] = familyOf(address)
  fixed[1] = length
  fixed[2] = fixed[0] === AF_INET ? 0 : IFA_F_NODAD
  new DataView(fixed.buffer).setUint32(4, index, true)
  return fixed
}

/** Gives an interface an address; one that it has already is kept. IPv4 gets its network's broadcast address. */
export function addressAdd(index: number, prefix: Prefix, sequence: number): Uint8Array {
  const { address, length } = prefix
  const attributes = [bytes(IFA_LOCAL, address), bytes(IFA_ADDRESS, address)]
  if (familyOf(address) === AF_INET && length <= broadcastLengthMax) attributes.push(bytes(IFA_BROADCAST, broadcastOf(address, length)))
  return request(RTM.NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, sequence, ifaddrmsg(index, prefix), attributes)
}

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
  const address = attributes.get(IFA_LOCAL) ?? attributes.get(IFA_ADDRESS) ?? new Uint8Array(0)
  return { index: view.getUint32(4, true), prefix: { address, length: view.getUint8(1) } }
}

function broadcastOf(address: Uint8Array, length: number): Uint8Array {
  return address.map((byte, i) => byte | (255 >> Math.min(8, Math.max(0, length - 8 * i))))
}
