/** D-Bus messages (D-Bus Specification, "Message Protocol"): a header of fixed fields, an array of further ones, padding to 8, the body. */
import { Reader, type Value, Writer } from './value.ts'

export const MessageType = { call: 1, answer: 2, error: 3, signal: 4 } as const

/** Header fields by number. */
const Field = { path: 1, interface: 2, member: 3, errorName: 4, replySerial: 5, destination: 6, signature: 8 } as const
const littleEndian = 'l'.charCodeAt(0)
const version = 1
/** Up to the length of the header fields, which it includes. */
const fixedBytes = 16
/** systemd's largest answers are some kilobytes; the specification allows 128 MiB. */
const messageBytesMax = 4 * 1024 * 1024

export interface Message {
  type: number
  serial: number
  path?: string
  interface?: string
  member?: string
  errorName?: string
  replySerial?: number
  destination?: string
  signature?: string
  body: readonly Value[]
}

// In the order in which sd-bus writes them.
const fieldTypes = { path: 'o', member: 's', interface: 's', errorName: 's', replySerial: 'u', destination: 's', signature: 'g' } as const
type FieldName = keyof typeof fieldTypes
const fieldNames = Object.keys(fieldTypes) as FieldName[] // its own keys

export function encodeMessage(message: Message): Uint8Array {
  const body = new Writer().row(message.signature ?? '', message.body).bytes
  const fields = fieldNames.flatMap(name => {
    const value = message[name]
    return value === undefined ? [] : [[Field[name], { signature: fieldTypes[name], value }]]
  })
  const header = new Writer().row('yyyyuua(yv)', [littleEndian, message.type, 0, version, body.length, message.serial, fields])
  header.align(8)
  return Uint8Array.from([...header.bytes, ...body])
}

/** How many bytes the message that begins here has; undefined while too few are there to tell. Throws RangeError for what is none. */
export function messageLength(bytes: Uint8Array): number | undefined {
  if (bytes.length < fixedBytes) return undefined
  if (bytes[0] !== littleEndian || bytes[3] !== version) throw new RangeError('what the bus says is no little-endian D-Bus message of version 1')
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const length = Math.ceil((fixedBytes + view.getUint32(12, true)) / 8) * 8 + view.getUint32(4, true)
  if (length > messageBytesMax) throw new RangeError(`a D-Bus message of ${length} bytes is longer than ${messageBytesMax}`)
  return length
}

/** A whole message. `wanted`: whether its body is; that of others stays empty. Throws RangeError and TypeError. */
export function decodeMessage(bytes: Uint8Array, wanted: (message: Message) => boolean = () => true): Message {
  const reader = new Reader(bytes)
  const [, type, , , , serial, fields] = reader.row('yyyyuua(yv)')
  const message: Message = { type: Number(type), serial: Number(serial), body: [] }
  for (const [number, held] of fields as [number, { value: Value }][]) { // by the signature above
    const name = fieldNames.find(each => Field[each] === number)
    if (name === 'replySerial') message[name] = Number(held.value)
    else if (name) message[name] = String(held.value)
  }
  reader.align(8)
  return message.signature !== undefined && wanted(message) ? { ...message, body: reader.row(message.signature) } : message
}
