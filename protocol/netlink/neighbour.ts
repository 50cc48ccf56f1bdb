import { bytes, NetlinkError, parseAttributes } from './attribute.ts'
import { familyOf, formatMac } from './ip.ts'
import { NLM_F_CREATE, NLM_F_DUMP, NLM_F_REPLACE, request, RTM } from './message.ts'

/** include/uapi/linux/neighbour.h */
const NDA_DST = 1
const NDA_LLADDR = 2
const NUD_PERMANENT = 0x80
/** struct ndmsg */
const fixedBytes = 12

/** An entry of the ARP or neighbour discovery table. */
export interface NeighbourInfo {
  index: number
  address: Uint8Array
  mac: string | undefined
  /** NUD_*; 0x80 is permanent. */
  state: number
}

function ndmsg(index: number, address: Uint8Array): Uint8Array {
  const fixed = new Uint8Array(fixedBytes)
  const view = new DataView(fixed.buffer)
  fixed[0] = familyOf(address)
  view.setInt32(4, index, true)
  view.setUint16(8, NUD_PERMANENT, true)
  return fixed
}

/** A lasting entry: `address` on this interface's link is at `mac`. */
export function neighbourAdd(index: number, address: Uint8Array, mac: Uint8Array, sequence: number): Uint8Array {
  return request(RTM.NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, sequence, ndmsg(index, address), [bytes(NDA_DST, address), bytes(NDA_LLADDR, mac)])
}

/** Asks for all entries of the network namespace. */
export function neighbourDump(sequence: number): Uint8Array {
  return request(RTM.GETNEIGH, NLM_F_DUMP, sequence, new Uint8Array(fixedBytes), [])
}

/** Reads a RTM_NEWNEIGH or RTM_DELNEIGH. Throws NetlinkError. */
export function parseNeighbour(body: Uint8Array): NeighbourInfo {
  if (body.length < fixedBytes) throw new NetlinkError(`neighbour message has ${body.length} bytes; must be ${fixedBytes} at least`)
  const view = new DataView(body.buffer, body.byteOffset, body.length)
  const attributes = parseAttributes(body.subarray(fixedBytes))
  const mac = attributes.get(NDA_LLADDR)
  return {
    index: view.getInt32(4, true),
    address: attributes.get(NDA_DST) ?? new Uint8Array(0),
    mac: mac ? formatMac(mac) : undefined,
    state: view.getUint16(8, true),
  }
}
