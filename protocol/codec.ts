import { BinaryReader, BinaryWriter, WireError } from './wire.ts'

/**
 * Messages' codecs, each from one line of text that hack/generate writes:
 *
 *   new Codec<StateRequest>('1 id s,2 exitedAt m0', () => [Timestamp])
 *
 * A field is its number, its name, and its type: a letter of `scalars`, or `m` with the index of its message's codec.
 * Before the type may stand `*` (a list), `%` (a map from strings), `?` (told apart from its zero) or `name|` (a member of
 * the oneof `name`). The line is read when the first message of the kind is: a binary holds a hundred codecs of which it
 * uses ten at its start, and text costs nothing to load.
 */
export class Codec<T extends object> {
  // No #private and no defaults: a binary makes a hundred of these before its first line runs.
  private layout: Layout | undefined

  /** `codecs` gives those of the messages inside; late, for they may be defined further below. */
  constructor(private readonly fields: string, private readonly codecs?: () => Codec<object>[]) {}

  /** Writes the message's fields. Those that are undefined or zero take no bytes. Throws WireError. */
  encode(message: T, writer: BinaryWriter = new BinaryWriter()): BinaryWriter {
    const values = message as Values // by the names in `fields`, which are T's
    for (const field of (this.layout ??= compile(this.fields, this.codecs?.())).fields) {
      const value = field.oneof === undefined ? values[field.name] : memberOf(values[field.oneof], field.name)
      if (value !== undefined && value !== field.zero) field.write(writer, value)
    }
    return writer
  }

  /** Reads a message up to the end of `input`, or the next `length` bytes of it. Throws WireError. */
  decode(input: Uint8Array | BinaryReader, length?: number): T {
    const reader = input instanceof BinaryReader ? input : new BinaryReader(input)
    const end = length === undefined ? reader.len : reader.pos + length
    const { byTag, zero, fresh } = (this.layout ??= compile(this.fields, this.codecs?.()))
    const message: Values = { ...zero }
    for (const { name, isMap } of fresh) message[name] = isMap ? {} : []
    while (reader.pos < end) {
      const tag = reader.uint32()
      const read = byTag.get(tag)
      if (read) read(reader, message)
      else if (tag >>> 3 === 0) throw new WireError('a field of number 0')
      else reader.skip(tag & 7)
    }
    requireEnd(reader, end)
    return message as T // every field of `fields` is there, and those are T's
  }
}

/** A message whose fields are being read. */
type Values = Record<string, unknown>
type ReadField = (reader: BinaryReader, message: Values) => void

/** What a codec's text says. */
interface Layout {
  readonly fields: readonly Field[]
  readonly byTag: ReadonlyMap<number, ReadField>
  /** A message without fields, but for the lists and maps, which each message has of its own. */
  readonly zero: Readonly<Values>
  readonly fresh: readonly { name: string; isMap: boolean }[]
}

interface Field {
  readonly name: string
  readonly oneof: string | undefined
  /** The value that is not written; undefined: all are. */
  readonly zero: unknown
  write(writer: BinaryWriter, value: unknown): void
  /** By the tags it can have. */
  readonly readers: readonly (readonly [tag: number, read: ReadField])[]
}

/** How one value is written behind its tag, and read. */
interface Kind {
  readonly wire: number
  readonly zero: unknown
  write(writer: BinaryWriter, value: unknown): unknown
  read(reader: BinaryReader): unknown
}

/** Wire type of everything that has a length. */
const lengthDelimited = 2

// The values are of the types that protocol/gen declares for the fields.
const scalars: Readonly<Record<string, Kind>> = {
  s: { wire: lengthDelimited, zero: '', write: (writer, value) => writer.string(value as string), read: reader => reader.string() },
  b: { wire: lengthDelimited, zero: undefined, write: (writer, value) => writer.bytes(value as Uint8Array), read: reader => reader.bytes() },
  t: { wire: 0, zero: false, write: (writer, value) => writer.bool(value as boolean), read: reader => reader.bool() },
  u: { wire: 0, zero: 0, write: (writer, value) => writer.uint32(value as number), read: reader => reader.uint32() },
  i: { wire: 0, zero: 0, write: (writer, value) => writer.int32(value as number), read: reader => reader.int32() },
  U: { wire: 0, zero: 0n, write: (writer, value) => writer.uint64(value as bigint), read: reader => reader.uint64() },
  I: { wire: 0, zero: 0n, write: (writer, value) => writer.int64(value as bigint), read: reader => reader.int64() },
  d: { wire: 1, zero: 0, write: (writer, value) => writer.double(value as number), read: reader => reader.double() },
}

function messageKind(codec: Codec<object>): Kind {
  return {
    wire: lengthDelimited,
    zero: undefined,
    write: (writer, value) => codec.encode(value as object, writer.fork()).join(),
    read: reader => codec.decode(reader, reader.uint32()),
  }
}

/** What lies inside must end where the length in front of it says. */
function requireEnd(reader: BinaryReader, end: number): void {
  if (reader.pos !== end) throw new WireError(`a field that ends ${reader.pos - end} bytes behind what it is part of`)
}

function memberOf(union: unknown, name: string): unknown {
  const member = union as { $case: string; value: unknown } | undefined // as ts-proto declares oneofs
  return member?.$case === name ? member.value : undefined
}

function compile(text: string, codecs: readonly Codec<object>[] = []): Layout {
  const fields: Field[] = []
  const byTag = new Map<number, ReadField>()
  const zero: Values = {}
  const fresh: { name: string; isMap: boolean }[] = []
  for (const line of text === '' ? [] : text.split(',')) {
    const [number = '', name = '', type = ''] = line.split(' ')
    const [, mark = '', letter = '', reference = ''] = /^([*%?]|\w+\|)?(\w)(\d*)$/.exec(type) ?? []
    const codec = codecs[Number(reference)]
    const kind = letter === 'm' && codec ? messageKind(codec) : scalars[letter]
    if (kind === undefined) throw new TypeError(`codec ${JSON.stringify(text)}: no type ${JSON.stringify(type)}`)
    const make = mark === '*' ? listField : mark === '%' ? mapField : singleField
    const field = make({ number: Number(number), name, kind, oneof: mark.endsWith('|') ? mark.slice(0, -1) : undefined, isOptional: mark === '?' })
    fields.push(field)
    for (const [tag, read] of field.readers) byTag.set(tag, read)
    if (mark === '*' || mark === '%') fresh.push({ name, isMap: mark === '%' })
    // In the order of declaration: all messages of a kind then have one shape.
    if (mark === '*' || mark === '%' || mark === '') zero[name] = letter === 'b' && mark === '' ? noBytes : kind.zero
    else zero[field.oneof ?? name] = undefined
  }
  return { fields, byTag, zero, fresh }
}

const noBytes = new Uint8Array(0)

interface Declaration {
  readonly number: number
  readonly name: string
  readonly kind: Kind
  readonly oneof: string | undefined
  readonly isOptional: boolean
}

function singleField({ number, name, kind, oneof, isOptional }: Declaration): Field {
  const tag = number << 3 | kind.wire
  const isAlwaysWritten = oneof !== undefined || isOptional
  const write = (writer: BinaryWriter, value: unknown) => void kind.write(writer.uint32(tag), value)
  const writeBytes = (writer: BinaryWriter, value: unknown) => (value as Uint8Array).length > 0 && write(writer, value)
  const writeDouble = (writer: BinaryWriter, value: unknown) => !Object.is(value, 0) && write(writer, value)
  const read: ReadField = oneof === undefined
    ? (reader, message) => { message[name] = kind.read(reader) }
    : (reader, message) => { message[oneof] = { $case: name, value: kind.read(reader) } }
  return {
    name,
    oneof,
    // -0 equals 0 and is written all the same.
    zero: isAlwaysWritten || kind === scalars.d ? undefined : kind.zero,
    // No value equals another of bytes, so that empty ones are found by their length.
    write: isAlwaysWritten ? write : kind === scalars.b ? writeBytes : kind === scalars.d ? writeDouble : write,
    readers: [[tag, read]],
  }
}

/** Numbers are written packed, and read either way, as proto3 wants. */
function listField({ number, name, kind }: Declaration): Field {
  const one = number << 3 | kind.wire
  const packed = number << 3 | lengthDelimited
  const readOne: ReadField = (reader, message) => {
    (message[name] as unknown[]).push(kind.read(reader)) // decode() put the list there
  }
  if (kind.wire === lengthDelimited) {
    return {
      name,
      oneof: undefined,
      zero: undefined,
      write: (writer, value) => { for (const item of value as readonly unknown[]) kind.write(writer.uint32(one), item) }, // a list field's value
      readers: [[one, readOne]],
    }
  }
  const readPacked: ReadField = (reader, message) => {
    const end = reader.uint32() + reader.pos
    while (reader.pos < end) readOne(reader, message)
    requireEnd(reader, end)
  }
  return {
    name,
    oneof: undefined,
    zero: undefined,
    write: (writer, value) => {
      const items = value as readonly unknown[] // a list field's value
      if (items.length === 0) return
      writer.uint32(packed).fork()
      for (const item of items) kind.write(writer, item)
      writer.join()
    },
    readers: [[one, readOne], [packed, readPacked]],
  }
}

/** An entry is a message of its own: 1 the key, 2 the value, both always written. */
function mapField({ number, name, kind }: Declaration): Field {
  const tag = number << 3 | lengthDelimited
  const keyTag = 1 << 3 | lengthDelimited
  const valueTag = 2 << 3 | kind.wire
  const readEntry: ReadField = (reader, message) => {
    const end = reader.uint32() + reader.pos
    let key = ''
    let item = kind.zero
    while (reader.pos < end) {
      const inner = reader.uint32()
      if (inner === keyTag) key = reader.string()
      else if (inner === valueTag) item = kind.read(reader)
      else reader.skip(inner & 7)
    }
    requireEnd(reader, end)
    // Not by assignment: a key of the peer's choice may be __proto__.
    if (item !== undefined) Object.defineProperty(message[name], key, { value: item, enumerable: true, configurable: true, writable: true })
  }
  return {
    name,
    oneof: undefined,
    zero: undefined,
    write: (writer, value) => {
      for (const [key, item] of Object.entries(value as Record<string, unknown>)) { // a map field's value
        kind.write(writer.uint32(tag).fork().uint32(keyTag).string(key).uint32(valueTag), item)
        writer.join()
      }
    },
    readers: [[tag, readEntry]],
  }
}
