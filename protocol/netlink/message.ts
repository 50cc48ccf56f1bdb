/**
 * A netlink message (include/uapi/linux/netlink.h, struct nlmsghdr), in the machine's byte order:
 *
 *   0        4      6       8          12        16
 *   ┌────────┬──────┬───────┬──────────┬─────────┬─────────┬──────────────┐
 *   │ length │ type │ flags │ sequence │ port id │ fixed … │ attributes … │
 *   └────────┴──────┴───────┴──────────┴─────────┴─────────┴──────────────┘
 *
 * The dialogue: each request below carries NLM_F_ACK and a sequence number of the caller's; the kernel answers with that
 * number (answer.ts). A change is answered by one `ack` or `error`; a dump by any number of items and then `done`; a get
 * by its item and an `ack`.
 */
import { type Attribute, concat } from './attribute.ts'

export const headerBytes = 16

/** include/uapi/linux/netlink.h */
export const NLM_F_REQUEST = 0x1
export const NLM_F_ACK = 0x4
export const NLM_F_DUMP = 0x300
export const NLM_F_REPLACE = 0x100
export const NLM_F_EXCL = 0x200
export const NLM_F_CREATE = 0x400

/** include/uapi/linux/rtnetlink.h */
export const RTM = {
  NEWLINK: 16, DELLINK: 17, GETLINK: 18,
  NEWADDR: 20, DELADDR: 21, GETADDR: 22,
  NEWROUTE: 24, DELROUTE: 25, GETROUTE: 26,
  NEWNEIGH: 28, DELNEIGH: 29, GETNEIGH: 30,
  NEWQDISC: 36, DELQDISC: 37,
  NEWTFILTER: 44, DELTFILTER: 45,
} as const

/** A request's bytes. `flags` besides NLM_F_REQUEST and NLM_F_ACK. */
export function request(type: number, flags: number, sequence: number, fixed: Uint8Array, attributes: readonly Attribute[]): Uint8Array {
  const header = new Uint8Array(headerBytes + fixed.length)
  header.set(fixed, headerBytes)
  const message = concat(header, attributes)
  const view = new DataView(message.buffer)
  view.setUint32(0, message.length, true)
  view.setUint16(4, type, true)
  view.setUint16(6, flags | NLM_F_REQUEST | NLM_F_ACK, true)
  view.setUint32(8, sequence, true)
  return message
}
