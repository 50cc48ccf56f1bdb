/** Protobuf's wire format read directly (protobuf.dev, "Encoding"): the third opinion, that of the specification. */
import { type DescField, type DescMessage, ScalarType } from '@bufbuild/protobuf'

interface Field { number: number; wire: number; bytes: Uint8Array }

/**
 * Whether the bytes are whole fields, each known one of its type, and each string UTF-8. Readers differ over the rest:
 * @bufbuild/protobuf takes a number where a string's tag stands, and refuses text that is no UTF-8, where ours has U+FFFD.
 */
export function keepsToTypes(type: DescMessage, bytes: Uint8Array): boolean {
  const fields = fieldsOf(bytes)
  return fields !== undefined && fields.every(field => {
    const known = type.fields.find(({ number }) => number === field.number)
    return known === undefined || isOfType(known, field)
  })
}

function isOfType(known: DescField, { wire, bytes }: Field): boolean {
  if (known.fieldKind === 'map') {
    const parts = wire === 2 ? fieldsOf(bytes) : undefined
    return parts !== undefined && parts.every(part => part.number === 1 ? isScalar(known.mapKey, part) : part.number !== 2 || isValue(known, part))
  }
  const isNumeric = !known.message && known.scalar !== ScalarType.STRING && known.scalar !== ScalarType.BYTES
  if (known.fieldKind === 'list' && isNumeric && wire === 2) return isPacked(known.scalar ?? ScalarType.INT32, bytes)
  return isValue(known, { number: known.number, wire, bytes })
}

function isValue(known: DescField, field: Field): boolean {
  if (known.message) return field.wire === 2 && keepsToTypes(known.message, field.bytes)
  return isScalar(known.enum ? ScalarType.INT32 : known.scalar ?? ScalarType.STRING, field)
}

function isScalar(scalar: ScalarType, { wire, bytes }: Field): boolean {
  if (scalar === ScalarType.STRING) return wire === 2 && isUtf8(bytes)
  if (scalar === ScalarType.BYTES) return wire === 2
  return wire === (scalar === ScalarType.DOUBLE ? 1 : 0)
}

function isPacked(scalar: ScalarType, bytes: Uint8Array): boolean {
  if (scalar === ScalarType.DOUBLE) return bytes.length % 8 === 0
  for (let at = 0; at < bytes.length;) {
    const next = behindVarint(bytes, at)
    if (next === undefined) return false
    at = next
  }
  return true
}

function isUtf8(bytes: Uint8Array): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    return true
  } catch { return false }
}

/** undefined: no whole fields, or groups, which nobody writes. */
function fieldsOf(bytes: Uint8Array): Field[] | undefined {
  const fields: Field[] = []
  for (let at = 0; at < bytes.length;) {
    const start = behindVarint(bytes, at)
    // Five bytes hold a tag's 32 bits, of which the last has four.
    if (start === undefined || start - at > 5 || (start - at === 5 && (bytes[at + 4] ?? 0) > 0x0f)) return undefined
    const tag = varint(bytes, at)
    const end = behindValue(bytes, start, Number(tag & 7n))
    if (end === undefined || tag >> 3n === 0n) return undefined
    fields.push({ number: Number(tag >> 3n), wire: Number(tag & 7n), bytes: Number(tag & 7n) === 2 ? bytes.subarray(behindVarint(bytes, start), end) : bytes.subarray(start, end) })
    at = end
  }
  return fields
}

function behindValue(bytes: Uint8Array, at: number, wire: number): number | undefined {
  if (wire === 0) return behindVarint(bytes, at)
  if (wire === 1 || wire === 5) return within(bytes, at + (wire === 1 ? 8 : 4))
  const start = wire === 2 ? behindVarint(bytes, at) : undefined
  return start === undefined ? undefined : within(bytes, start + Number(varint(bytes, at)))
}

const within = (bytes: Uint8Array, end: number): number | undefined => end <= bytes.length ? end : undefined

function behindVarint(bytes: Uint8Array, at: number): number | undefined {
  for (let end = at; end < bytes.length && end < at + 10; end++) if ((bytes[end] ?? 0) < 0x80) return end + 1
  return undefined
}

function varint(bytes: Uint8Array, at: number): bigint {
  const end = behindVarint(bytes, at) ?? at
  return [...bytes.subarray(at, end)].reduceRight((value, byte) => value << 7n | BigInt(byte & 0x7f), 0n)
}
