/**
 * Attributes, the typed values behind a netlink message's fixed part (include/uapi/linux/netlink.h, struct nlattr):
 *
 *   0        2       4
 *   ┌────────┬───────┬─────────┬─────────┐
 *   │ length │ type  │ value … │ padding │   length counts the header and the value, not the padding to 4
 *   └────────┴───────┴─────────┴─────────┘
 *
 * Numbers are in the machine's byte order, which is little-endian wherever this runs.
 */

/** What is to be written. */
export interface Attribute {
  readonly type: number
  readonly value: Uint8Array
}

const headerBytes = 4
/** NLA_F_NESTED and NLA_F_NET_BYTEORDER are no part of the type. */
const typeMask = 0x3fff

/** A message that does not keep to its own lengths. */
export class NetlinkError extends Error {
  override readonly name = 'NetlinkError'
}

/** NLA_ALIGN: lengths are padded to 4. */
export function aligned(length: number): number {
  return (length + 3) & ~3
}

export function bytes(type: number, value: Uint8Array): Attribute {
  return { type, value }
}

export function u8(type: number, value: number): Attribute {
  return { type, value: Uint8Array.of(value) }
}

export function u32(type: number, value: number): Attribute {
  const four = new Uint8Array(4)
  new DataView(four.buffer).setUint32(0, value, true)
  return { type, value: four }
}

/** With the NUL that the kernel wants behind strings. */
export function text(type: number, value: string): Attribute {
  return { type, value: new TextEncoder().encode(`${value}\0`) }
}

/** Attributes in an attribute, after `fixed` when it has such a part. */
export function nested(type: number, attributes: readonly Attribute[], fixed: Uint8Array = new Uint8Array(0)): Attribute {
  return { type, value: concat(fixed, attributes) }
}

/** `fixed`, padded, and the attributes behind it. */
export function concat(fixed: Uint8Array, attributes: readonly Attribute[]): Uint8Array {
  const total = attributes.reduce((sum, { value }) => sum + headerBytes + aligned(value.length), aligned(fixed.length))
  const result = new Uint8Array(total)
  const view = new DataView(result.buffer)
  result.set(fixed)
  let offset = aligned(fixed.length)
  for (const { type, value } of attributes) {
    view.setUint16(offset, headerBytes + value.length, true)
    view.setUint16(offset + 2, type, true)
    result.set(value, offset + headerBytes)
    offset += headerBytes + aligned(value.length)
  }
  return result
}

/** The attributes in `data`, by type; of several of one type the last. Values share its memory. Throws NetlinkError. */
export function parseAttributes(data: Uint8Array): Map<number, Uint8Array> {
  const attributes = new Map<number, Uint8Array>()
  const view = new DataView(data.buffer, data.byteOffset, data.length)
  let offset = 0
  while (offset + headerBytes <= data.length) {
    const length = view.getUint16(offset, true)
    if (length < headerBytes || offset + length > data.length) {
      throw new NetlinkError(`attribute at byte ${offset} has length ${length}; must be from ${headerBytes} to ${data.length - offset}`)
    }
    attributes.set(view.getUint16(offset + 2, true) & typeMask, data.subarray(offset + headerBytes, offset + length))
    offset += aligned(length)
  }
  return attributes
}

/** An attribute's number; undefined when it is absent or has another size. */
export function readU32(value: Uint8Array | undefined): number | undefined {
  return value?.length === 4 ? new DataView(value.buffer, value.byteOffset, 4).getUint32(0, true) : undefined
}

/** An attribute's string, up to its NUL. */
export function readText(value: Uint8Array | undefined): string | undefined {
  if (value === undefined) return undefined
  const end = value.indexOf(0)
  return new TextDecoder().decode(end < 0 ? value : value.subarray(0, end))
}
