/**
 * protocol/codec.ts against @bufbuild/protobuf, which reads the same .proto files another way: for every message of
 * ours each reads what the other wrote, and both take or refuse the same bytes.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { create, createFileRegistry, type DescField, type DescMessage, fromBinary, ScalarType, toBinary } from '@bufbuild/protobuf'
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { Codec } from '../../protocol/codec.ts'
import { decode } from '../../protocol/message.ts'
import { RpcError } from '../../protocol/ttrpc/status.ts'
import { anyBytes, mutated, throwsOnly } from './arbitraries.ts'
import { bytesOf, corpus } from './corpus.ts'
import { fewer, settings } from './settings.ts'
import { keepsToTypes } from './wire-format.ts'

const gen = new URL('../../protocol/gen', import.meta.url).pathname
const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(`${gen}/.descriptors`)))

/** A message in both libraries' shapes. Ours: fields as ts-proto declares them; the other's: what create() takes. */
interface Pair { ours: Record<string, unknown>; theirs: Record<string, unknown> }

const text = fc.oneof(fc.string({ maxLength: 12 }), fc.string({ maxLength: 6, unit: 'grapheme' }), fc.constantFrom('', '__proto__', 'constructor', '\uFEFFmark', 'é', '😀'))
const int32 = fc.oneof(fc.constantFrom(0, 1, -1, 2 ** 31 - 1, -(2 ** 31)), fc.integer())

function scalar(type: ScalarType): fc.Arbitrary<unknown> {
  switch (type) {
    case ScalarType.STRING: return text
    case ScalarType.BYTES: return fc.uint8Array({ maxLength: 20 })
    case ScalarType.BOOL: return fc.boolean()
    case ScalarType.UINT32: return fc.oneof(fc.constantFrom(0, 127, 128, 2 ** 32 - 1), fc.nat(0xffff_ffff))
    case ScalarType.INT32: return int32
    case ScalarType.UINT64: return fc.oneof(fc.constantFrom(0n, 2n ** 31n, 2n ** 32n, 2n ** 64n - 1n), fc.bigInt(0n, 2n ** 64n - 1n))
    case ScalarType.INT64: return fc.oneof(fc.constantFrom(0n, -1n, 2n ** 63n - 1n, -(2n ** 63n)), fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n))
    case ScalarType.DOUBLE: return fc.double({ noNaN: true })
    default: throw new Error(`no messages of ours have ${ScalarType[type]}`)
  }
}

/** One value of the field, in both shapes. */
function single(field: DescField, depth: number): fc.Arbitrary<[unknown, unknown]> {
  if (field.message) return pair(field.message, depth - 1).map(({ ours, theirs }) => [ours, theirs])
  const value = field.enum ? int32 : scalar(field.scalar ?? ScalarType.STRING)
  return value.map(one => [one, one])
}

function valuesOf(field: DescField, depth: number): fc.Arbitrary<[unknown, unknown]> {
  const isDeep = depth <= 0
  if (field.fieldKind === 'list') {
    return fc.array(single(field, depth), { maxLength: isDeep && field.message ? 0 : 3 }).map(items => [items.map(([ours]) => ours), items.map(([, theirs]) => theirs)])
  }
  if (field.fieldKind === 'map') {
    return fc.array(fc.tuple(text, single(field, depth)), { maxLength: isDeep && field.message ? 0 : 3 }).map(entries => {
      const of = (side: 0 | 1): object => entries.reduce((table, [key, value]) => Object.defineProperty(table, key, { value: value[side], enumerable: true, configurable: true, writable: true }), {})
      return [of(0), of(1)]
    })
  }
  if (!field.message && field.presence !== 1) return single(field, depth) // FeatureSet.FieldPresence.EXPLICIT: proto3's `optional`
  const absent = fc.constant<[unknown, unknown]>([undefined, undefined])
  return isDeep && field.message ? absent : fc.oneof(absent, single(field, depth))
}

const localName = (field: DescField): string => field.localName

function pair(type: DescMessage, depth: number): fc.Arbitrary<Pair> {
  const plain = type.fields.filter(field => field.oneof === undefined)
  const fields = plain.map(field => valuesOf(field, depth).map(([ours, theirs]) => ({ name: localName(field), ours, theirs })))
  const oneofs = type.oneofs.map(oneof => {
    const members = oneof.fields.map(field => single(field, depth).map(([ours, theirs]) => ({ name: oneof.localName, ours: { $case: localName(field), value: ours }, theirs: { case: localName(field), value: theirs } as unknown })))
    const absent = fc.constant({ name: oneof.localName, ours: undefined, theirs: { case: undefined } as unknown })
    return depth <= 0 ? absent : fc.oneof(absent, ...members)
  })
  return fc.tuple(...fields, ...oneofs).map(values => {
    const both: Pair = { ours: {}, theirs: {} }
    for (const { name, ours, theirs } of values) {
      both.ours[name] = ours
      if (theirs !== undefined) both.theirs[name] = theirs
    }
    return both
  })
}

/** Our codecs by the full name of the message. */
const codecs: [name: string, codec: Codec<object>, type: DescMessage][] = []
for (const path of readdirSync(gen, { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith('.ts'))) {
  const module = await import(`${gen}/${path}`) as Record<string, unknown>
  const prefix = module['protobufPackage'] === '' ? '' : `${String(module['protobufPackage'])}.`
  for (const [name, value] of Object.entries(module)) {
    if (!(value instanceof Codec)) continue
    // A message in a message is named Outer_Inner.
    const type = registry.getMessage(prefix + name) ?? registry.getMessage(prefix + name.replaceAll('_', '.'))
    if (type) codecs.push([`${prefix}${name}`, value, type])
  }
}

/** What both make of bytes. Such that keep to the wire format and the message's own types are read, and read alike; all others end in a message or an RpcError. */
function judge(codec: Codec<object>, type: DescMessage, bytes: Uint8Array): void {
  const ours = throwsOnly(RpcError, () => decode(codec, bytes))
  if (!keepsToTypes(type, bytes)) return
  expect(ours).toBeDefined()
  const theirs = toBinary(type, fromBinary(type, bytes, { readUnknownFields: false }))
  // Compared as a third reading: the order of fields and of a map's entries is nobody's.
  expect(codec.decode(theirs)).toEqual(codec.decode(codec.encode(ours ?? {}).finish()))
}

describe('every message', () => {
  beforeAll(() => expect(codecs.length).toBeGreaterThan(100))

  it.each(codecs)('%s is read by each as the other wrote it', (_name, codec, type) => {
    fc.assert(fc.property(pair(type, 2), ({ ours, theirs }) => {
      const reference = create(type, theirs)
      expect(fromBinary(type, codec.encode(ours).finish())).toEqual(reference)
      expect(codec.decode(toBinary(type, reference))).toEqual(ours)
    }), fewer)
  })

  it('is refused by both, or read alike, when it was spoilt', () => {
    const spoilt = fc.constantFrom(...codecs).chain(([name, codec, type]) => pair(type, 2)
      .chain(({ ours }) => fc.oneof(mutated([codec.encode(ours).finish()]), anyBytes)).map(bytes => ({ name, codec, type, bytes })))
    fc.assert(fc.property(spoilt, ({ codec, type, bytes }) => judge(codec, type, bytes)), settings)
  })

  it.each(corpus('protobuf'))('is judged alike: $why', kept => {
    for (const [, codec, type] of codecs) judge(codec, type, bytesOf(kept))
  })
})

describe('decoders', () => {
  it('refuse what is nested without end', () => {
    const group = new Uint8Array(100_000).fill(0x0b) // field 1, start of a group
    for (const [, codec] of codecs) expect(() => decode(codec, group)).toThrow(RpcError)
  })

  it('take no longer than the bytes are long', () => {
    const large = new Uint8Array(1 << 17).fill(0x08) // field 1, varint 8, for ever
    for (const [, codec] of codecs) {
      const before = performance.now()
      throwsOnly(RpcError, () => decode(codec, large))
      // Milliseconds; seconds on a machine under load. What grows by the square would take minutes.
      expect(performance.now() - before).toBeLessThan(10_000)
    }
  })
})
