import * as buf from '@bufbuild/protobuf/wire'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BinaryReader, BinaryWriter, WireError } from './wire.ts'

/** One value to write, and how. */
type Field =
  | { kind: 'uint32' | 'int32' | 'double'; value: number }
  | { kind: 'uint64' | 'int64'; value: bigint }
  | { kind: 'string'; value: string }
  | { kind: 'bytes'; value: Uint8Array }
  | { kind: 'bool'; value: boolean }

const kindOf = <K extends Field['kind'], V>(kind: K, value: fc.Arbitrary<V>) => fc.record({ kind: fc.constant(kind), value })
const field: fc.Arbitrary<Field> = fc.oneof(
  kindOf('uint32', fc.oneof(fc.nat(300), fc.integer({ min: 0, max: 0xffff_ffff }))),
  kindOf('int32', fc.integer()),
  kindOf('double', fc.double({ noNaN: true })),
  kindOf('uint64', fc.oneof(fc.bigInt({ min: 0n, max: 300n }), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }))),
  kindOf('int64', fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
  kindOf('string', fc.oneof(fc.string({ unit: 'grapheme', maxLength: 300 }), fc.constant('\ufeffx'))),
  kindOf('bytes', fc.uint8Array({ maxLength: 300 })),
  kindOf('bool', fc.boolean()),
)

/** Either library's writer or reader: their methods have the same names. */
interface AnyWriter extends Record<Field['kind'], (value: never) => unknown> { fork(): unknown; join(): unknown; finish(): Uint8Array }

function write(writer: AnyWriter, fields: readonly Field[], depth = 0): void {
  for (const { kind, value } of fields) writer[kind](value as never) // a field's value is of its kind
  if (depth === 0) return
  writer.fork()
  write(writer, fields, depth - 1)
  writer.join()
}

describe('our wire format and @bufbuild/protobuf\'s', () => {
  it('write the same bytes, and each reads what they wrote', () => {
    fc.assert(fc.property(fc.array(field, { maxLength: 20 }), fc.nat(3), (fields, depth) => {
      const ours = new BinaryWriter()
      const theirs = new buf.BinaryWriter()
      write(ours, fields, depth)
      write(theirs as AnyWriter, fields, depth)
      const bytes = ours.finish()
      expect(bytes).toEqual(theirs.finish())
      const reader = new BinaryReader(bytes)
      for (const { kind, value } of fields) expect(reader[kind]()).toEqual(value)
    }))
  })

  it('read the same from any bytes, as far as either reads', () => {
    fc.assert(fc.property(fc.uint8Array({ minLength: 1, maxLength: 24 }), fc.constantFrom('uint32', 'int32', 'bool', 'bytes', 'double'), (bytes, kind) => {
      const [ours, theirs] = [new BinaryReader(bytes), new buf.BinaryReader(bytes)]
      let expected: unknown
      try {
        expected = theirs[kind]()
      } catch {
        return // stricter about numbers that overflow, which Go is not
      }
      expect(ours[kind]()).toEqual(expected)
      expect(ours.pos).toBe(theirs.pos)
    }))
  })
})

describe('BinaryReader', () => {
  it.each([
    ['uint32', [0x80]], ['uint64', [0xff, 0xff]], ['bytes', [2, 1]], ['string', [0xff, 0xff, 0xff, 0xff, 0x0f]], ['double', [1, 2, 3]], ['bool', []],
  ] as const)('%s refuses bytes that end too soon', (kind, bytes) => {
    expect(() => new BinaryReader(Uint8Array.from(bytes))[kind]()).toThrow(WireError)
  })

  it('refuses numbers without end', () => {
    const bytes = new Uint8Array(20).fill(0xff)
    for (const kind of ['uint32', 'uint64', 'bool'] as const) expect(() => new BinaryReader(bytes)[kind]()).toThrow(/more than 10 bytes/)
  })

  it('skips fields of every type, groups with what is in them', () => {
    const group = [0x08, 0xff, 0x01, 0x11, 1, 2, 3, 4, 5, 6, 7, 8, 0x1a, 2, 9, 9, 0x25, 1, 2, 3, 4, 0x2b, 0x2c, 0x0c]
    const reader = new BinaryReader(Uint8Array.from([...group, 7]))
    reader.skip(3)
    expect(reader.uint32()).toBe(7)
  })

  it.each([[4], [6], [7]])('refuses wire type %i', type => {
    expect(() => new BinaryReader(new Uint8Array(9)).skip(type)).toThrow(WireError)
  })

  it('replaces what is no UTF-8', () => {
    expect(new BinaryReader(Uint8Array.of(2, 0x61, 0xff)).string()).toBe('a\ufffd')
  })
})

describe('BinaryWriter', () => {
  it('refuses numbers that do not fit', () => {
    for (const value of [-1, 2 ** 32, 0.5, Number.NaN]) expect(() => new BinaryWriter().uint32(value)).toThrow(WireError)
    for (const value of [2 ** 31, -(2 ** 31) - 1, 0.5]) expect(() => new BinaryWriter().int32(value)).toThrow(WireError)
  })

  it.each([0, 1, 127, 128, 16383, 16384, 3_000_000])('writes a message of %i bytes in a message', length => {
    const bytes = new BinaryWriter().fork().fork().bytes(new Uint8Array(length)).join().join().finish()
    const inner = new BinaryReader(new BinaryReader(bytes).bytes()).bytes()
    expect(new BinaryReader(inner).bytes()).toHaveLength(length)
  })
})
