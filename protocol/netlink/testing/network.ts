import { addressAdd, type AddressOptions } from '../address.ts'
import { parseAttributes, readText } from '../attribute.ts'
import { parseMac, parsePrefix } from '../ip.ts'
import { linkSet } from '../link.ts'
import { headerBytes, RTM } from '../message.ts'
import { neighbourAdd } from '../neighbour.ts'
import { type Route, routeAdd } from '../route.ts'

/** A request that the double was sent. */
export interface Seen {
  type: number
  /** The message without its header. */
  body: Uint8Array
}

const IFLA_IFNAME = 3

/** A network namespace's rtnetlink, as far as a test fills it: dumps are answered from it, changes are noted and acknowledged. */
export class NetworkDouble {
  readonly seen: Seen[] = []
  /** Errno for the requests of a type. */
  readonly refuses = new Map<number, number>()
  readonly #items = new Map<number, Uint8Array[]>()
  readonly #answers: Uint8Array[] = []

  link(index: number, name: string, options: { mac?: string; mtu?: number; up?: boolean; type?: number } = {}): this {
    const { mac = `02:00:00:00:00:0${index}`, mtu = 1500, up = true, type = 1 } = options
    const message = linkSet(index, { name, mac: parseMac(mac), mtu, up }, 0)
    new DataView(message.buffer).setUint16(headerBytes + 2, type, true)
    return this.#add(RTM.GETLINK, message)
  }

  address(index: number, prefix: string, options: AddressOptions = {}): this {
    const message = addressAdd(index, parsePrefix(prefix), 0, options)
    // IFA_F_PERMANENT, as the kernel says of what has no limit.
    message[headerBytes + 2] = 0x80
    return this.#add(RTM.GETADDR, message)
  }

  route(route: Route, protocol = 3): this {
    const message = routeAdd(route, 0)
    message[headerBytes + 5] = protocol
    return this.#add(RTM.GETROUTE, message)
  }

  neighbour(index: number, address: Uint8Array, mac: string): this {
    return this.#add(RTM.GETNEIGH, neighbourAdd(index, address, parseMac(mac), 0))
  }

  send(message: Uint8Array): void {
    const view = new DataView(message.buffer, message.byteOffset, message.length)
    const [type, flags, sequence] = [view.getUint16(4, true), view.getUint16(6, true), view.getUint32(8, true)]
    const body = message.slice(headerBytes)
    this.seen.push({ type, body })
    const isDump = (flags & 0x300) === 0x300 && (this.#items.has(type) || [RTM.GETLINK, RTM.GETADDR, RTM.GETROUTE, RTM.GETNEIGH].some(get => get === type))
    if (isDump) this.#answers.push(...(this.#items.get(type) ?? []).map(item => withSequence(item, sequence)), answer(3, sequence, 0))
    else this.#change(type, sequence, body)
  }

  receive(): Uint8Array {
    return this.#answers.shift() ?? new Uint8Array(0)
  }

  #change(type: number, sequence: number, body: Uint8Array): void {
    const errno = this.refuses.get(type)
    if (errno === undefined && type === RTM.GETLINK) this.#answers.push(withSequence(this.#linkNamed(body), sequence))
    this.#answers.push(answer(2, sequence, -(errno ?? 0)))
  }

  #linkNamed(body: Uint8Array): Uint8Array {
    const name = readText(parseAttributes(body.subarray(16)).get(IFLA_IFNAME)) ?? ''
    return linkSet(100, { name }, 0)
  }

  #add(type: number, message: Uint8Array): this {
    this.#items.set(type, [...this.#items.get(type) ?? [], message])
    return this
  }
}

function withSequence(message: Uint8Array, sequence: number): Uint8Array {
  const copy = message.slice()
  new DataView(copy.buffer).setUint32(8, sequence, true)
  return copy
}

/** NLMSG_DONE (3), or NLMSG_ERROR (2) with a negative errno and 16 bytes of the request's header. */
function answer(type: number, sequence: number, code: number): Uint8Array {
  const message = new Uint8Array(headerBytes + 4 + (type === 2 ? headerBytes : 0))
  const view = new DataView(message.buffer)
  view.setUint32(0, message.length, true)
  view.setUint16(4, type, true)
  view.setUint32(8, sequence, true)
  view.setInt32(headerBytes, code, true)
  return message
}
