/** Address families (include/linux/socket.h). */
export const AF_INET = 2
export const AF_INET6 = 10

/** An address with the length of its network's prefix: 10.0.0.2/24. */
export interface Prefix {
  address: Uint8Array
  length: number
}

/** Of 4 or 16 bytes. */
export function familyOf(address: Uint8Array): number {
  return address.length === 4 ? AF_INET : AF_INET6
}

/** 4 or 16 bytes. Throws RangeError when `text` is no IP address. */
export function parseIp(text: string): Uint8Array {
  const address = text.includes(':') ? parseIpv6(text) : parseIpv4(text)
  if (address === undefined) throw new RangeError(`${JSON.stringify(text)} is no IP address`)
  return address
}

/** `10.0.0.2/24`; without a length the whole address counts. Throws RangeError. */
export function parsePrefix(text: string): Prefix {
  const slash = text.indexOf('/')
  const address = parseIp(slash < 0 ? text : text.slice(0, slash))
  const bits = address.length * 8
  const length = slash < 0 ? bits : decimal(text.slice(slash + 1), bits)
  if (length === undefined) throw new RangeError(`${JSON.stringify(text)} has no prefix length from 0 to ${bits}`)
  return { address, length }
}

/** The address in its usual form (RFC 5952 for IPv6). */
export function formatIp(address: Uint8Array): string {
  if (address.length === 4) return address.join('.')
  const words = Array.from({ length: address.length >> 1 }, (_, i) => ((address[2 * i] ?? 0) << 8 | (address[2 * i + 1] ?? 0)).toString(16))
  const text = words.join(':')
  // The longest run of zero words, at least two, is written as ::
  const runs = [...text.matchAll(/(?:^|:)0(?::0)+(?=:|$)/g)].sort((a, b) => b[0].split('0').length - a[0].split('0').length)
  const run = runs[0]
  if (run === undefined) return text
  const before = text.slice(0, run.index)
  const after = text.slice(run.index + run[0].length)
  return `${before}::${after.replace(/^:/, '')}`
}

/** 6 bytes. Throws RangeError. */
export function parseMac(text: string): Uint8Array {
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(text)) throw new RangeError(`${JSON.stringify(text)} is no MAC address`)
  return Uint8Array.from(text.split(':'), pair => Number.parseInt(pair, 16))
}

/** As ip(8) writes it: `02:00:00:00:00:01`. */
export function formatMac(address: Uint8Array): string {
  return Array.from(address, byte => byte.toString(16).padStart(2, '0')).join(':')
}

function decimal(text: string, most: number): number | undefined {
  if (!/^(0|[1-9]\d{0,2})$/.test(text)) return undefined
  const number = Number(text)
  return number <= most ? number : undefined
}

function parseIpv4(text: string): Uint8Array | undefined {
  const parts = text.split('.').map(part => decimal(part, 255))
  return parts.length === 4 && parts.every(part => part !== undefined) ? Uint8Array.from(parts) : undefined
}

function parseIpv6(text: string): Uint8Array | undefined {
  const halves = text.split('::')
  const [head, tail] = [words(halves[0]), words(halves[1])]
  if (halves.length > 2 || head === undefined || tail === undefined) return undefined
  const missing = 8 - head.length - tail.length
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined
  const all = [...head, ...new Array<number>(missing).fill(0), ...tail]
  return Uint8Array.from(all.flatMap(word => [word >> 8, word & 255]))
}

/** The 16-bit words of a part of an IPv6 address, which may end in an IPv4 address. */
function words(part: string | undefined): number[] | undefined {
  if (part === undefined || part === '') return []
  const result: number[] = []
  const items = part.split(':')
  for (const [i, item] of items.entries()) {
    const ipv4 = i === items.length - 1 && item.includes('.') ? parseIpv4(item) : undefined
    if (ipv4) result.push((ipv4[0] ?? 0) << 8 | (ipv4[1] ?? 0), (ipv4[2] ?? 0) << 8 | (ipv4[3] ?? 0))
    else if (/^[0-9a-f]{1,4}$/i.test(item)) result.push(Number.parseInt(item, 16))
    else return undefined
  }
  return result
}
