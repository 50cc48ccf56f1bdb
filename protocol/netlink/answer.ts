import { type AddressInfo, parseAddress } from './address.ts'
import { aligned, NetlinkError, parseAttributes, readText } from './attribute.ts'
import { type LinkInfo, parseLink } from './link.ts'
import { headerBytes, RTM } from './message.ts'
import { type NeighbourInfo, parseNeighbour } from './neighbour.ts'
import { parseRoute, type RouteInfo } from './route.ts'

/** include/uapi/linux/netlink.h. The two flags are an error's: attributes follow; the request is not repeated before them. */
const NLM_F_CAPPED = 0x100
const NLM_F_ACK_TLVS = 0x200
const NLMSG_NOOP = 1
const NLMSG_ERROR = 2
const NLMSG_DONE = 3
const NLMSG_OVERRUN = 4
const NLMSGERR_ATTR_MSG = 1

/** What the kernel answers. `sequence` is the request's; 0 for what it tells by itself. */
export type Answer = { sequence: number } & (
  /** The request was carried out. */
  | { kind: 'ack' }
  /** It was not. `message` is the kernel's own explanation, if the socket asked for them (NETLINK_EXT_ACK). */
  | { kind: 'error'; errno: number; message: string | undefined }
  /** A dump's end. */
  | { kind: 'done' }
  /** Messages were lost: the reader was too slow. */
  | { kind: 'overrun' }
  /** New, changed, or with `isGone` removed. */
  | { kind: 'link'; isGone: boolean; link: LinkInfo }
  | { kind: 'address'; isGone: boolean; address: AddressInfo }
  | { kind: 'route'; isGone: boolean; route: RouteInfo }
  | { kind: 'neighbour'; isGone: boolean; neighbour: NeighbourInfo }
  | { kind: 'other'; type: number }
)

/** The answers in what one recv(2) gave, which holds whole messages. Throws NetlinkError when it does not. */
export function parseAnswers(data: Uint8Array): Answer[] {
  const answers: Answer[] = []
  const view = new DataView(data.buffer, data.byteOffset, data.length)
  for (let offset = 0; offset < data.length;) {
    const left = data.length - offset
    const length = left >= headerBytes ? view.getUint32(offset, true) : left
    if (length < headerBytes || length > left) {
      throw new NetlinkError(`message at byte ${offset} has length ${length}; must be from ${headerBytes} to ${left}`)
    }
    const type = view.getUint16(offset + 4, true)
    const flags = view.getUint16(offset + 6, true)
    const sequence = view.getUint32(offset + 8, true)
    const body = data.subarray(offset + headerBytes, offset + length)
    if (type !== NLMSG_NOOP) answers.push(parseAnswer(type, flags, sequence, body))
    offset += aligned(length)
  }
  return answers
}

function parseAnswer(type: number, flags: number, sequence: number, body: Uint8Array): Answer {
  switch (type) {
    case NLMSG_ERROR: return parseError(flags, sequence, body)
    case NLMSG_DONE: return { kind: 'done', sequence }
    case NLMSG_OVERRUN: return { kind: 'overrun', sequence }
    case RTM.NEWLINK: case RTM.DELLINK: return { kind: 'link', sequence, isGone: type === RTM.DELLINK, link: parseLink(body) }
    case RTM.NEWADDR: case RTM.DELADDR: return { kind: 'address', sequence, isGone: type === RTM.DELADDR, address: parseAddress(body) }
    case RTM.NEWROUTE: case RTM.DELROUTE: return { kind: 'route', sequence, isGone: type === RTM.DELROUTE, route: parseRoute(body) }
    case RTM.NEWNEIGH: case RTM.DELNEIGH: return { kind: 'neighbour', sequence, isGone: type === RTM.DELNEIGH, neighbour: parseNeighbour(body) }
    default: return { kind: 'other', sequence, type }
  }
}

/** struct nlmsgerr: a negative errno, the request's header, its body unless capped, then attributes if flagged. */
function parseError(flags: number, sequence: number, body: Uint8Array): Answer {
  if (body.length < 4) throw new NetlinkError(`error message has ${body.length} bytes; must be 4 at least`)
  const view = new DataView(body.buffer, body.byteOffset, body.length)
  const errno = -view.getInt32(0, true)
  if (errno === 0) return { kind: 'ack', sequence }
  const quoted = flags & NLM_F_CAPPED || body.length < 8 ? headerBytes : aligned(view.getUint32(4, true))
  const hasText = flags & NLM_F_ACK_TLVS && 4 + quoted <= body.length
  const message = hasText ? readText(parseAttributes(body.subarray(4 + quoted)).get(NLMSGERR_ATTR_MSG)) : undefined
  return { kind: 'error', sequence, errno, message }
}
