import { describe, expect, it } from 'vitest'
import { Codec } from './codec.ts'
import { WireError } from './wire.ts'

interface Leaf { name: string }
interface All {
  text: string
  bytes: Uint8Array
  flag: boolean
  small: number
  signed: number
  big: bigint
  signedBig: bigint
  real: number
  leaf: Leaf | undefined
  texts: string[]
  numbers: number[]
  leaves: Leaf[]
  map: Record<string, string>
  counts: Record<string, bigint>
  leafMap: Record<string, Leaf>
  maybe: string | undefined
  one: { $case: 'word'; value: string } | { $case: 'number'; value: number } | { $case: 'leaf'; value: Leaf } | undefined
}

const leaf = new Codec<Leaf>('1 name s')
const all = new Codec<All>(
  '1 text s,2 bytes b,3 flag t,4 small u,5 signed i,6 big U,7 signedBig I,8 real d,9 leaf m0,10 texts *s,11 numbers *u,12 leaves *m0,' +
  '13 map %s,14 counts %U,15 leafMap %m0,16 maybe ?s,17 word one|s,18 number one|u,19 leaf one|m0',
  () => [leaf],
)
const zero: All = {
  text: '', bytes: new Uint8Array(), flag: false, small: 0, signed: 0, big: 0n, signedBig: 0n, real: 0, leaf: undefined, texts: [], numbers: [], leaves: [],
  map: {}, counts: {}, leafMap: {}, maybe: undefined, one: undefined,
}
const bytes = (fields: Partial<All>) => all.encode({ ...zero, ...fields }).finish()
const read = (...data: number[]) => all.decode(Uint8Array.from(data))

describe('Codec', () => {
  it('writes nothing for zero values, and reads them from nothing', () => {
    expect(bytes({})).toHaveLength(0)
    expect(read()).toEqual(zero)
  })

  it.each<[name: string, fields: Partial<All>, expected: number[]]>([
    ['a string', { text: 'é' }, [0x0a, 2, 0xc3, 0xa9]],
    ['bytes', { bytes: Uint8Array.of(0) }, [0x12, 1, 0]],
    ['true', { flag: true }, [0x18, 1]],
    ['a number', { small: 300 }, [0x20, 0xac, 2]],
    ['a negative number', { signed: -1 }, [0x28, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1]],
    ['64 bits', { big: 2n ** 64n - 1n }, [0x30, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1]],
    ['a double', { real: 1 }, [0x41, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f]],
    ['a negative zero', { real: -0 }, [0x41, 0, 0, 0, 0, 0, 0, 0, 0x80]],
    ['an empty message, which is not an absent one', { leaf: { name: '' } }, [0x4a, 0]],
    ['a list with empty items', { texts: ['', 'a'] }, [0x52, 0, 0x52, 1, 0x61]],
    ['a list of numbers, packed', { numbers: [1, 300] }, [0x5a, 3, 1, 0xac, 2]],
    ['a map, each entry with key and value', { map: { a: '' } }, [0x6a, 5, 0x0a, 1, 0x61, 0x12, 0]],
    ['a map of messages', { leafMap: { a: { name: '' } } }, [0x7a, 5, 0x0a, 1, 0x61, 0x12, 0]],
    ['an optional field that is zero', { maybe: '' }, [0x82, 1, 0]],
    ['a member of a oneof that is zero', { one: { $case: 'number', value: 0 } }, [0x90, 1, 0]],
  ])('writes and reads %s', (_name, fields, expected) => {
    expect([...bytes(fields)]).toEqual(expected)
    expect(read(...expected)).toEqual({ ...zero, ...fields })
  })

  it('reads lists of numbers that are not packed, and both forms in turn', () => {
    expect(read(0x58, 1, 0x5a, 2, 2, 3, 0x58, 4).numbers).toEqual([1, 2, 3, 4])
  })

  it('takes the last of several values, and the last member of a oneof', () => {
    expect(read(0x20, 1, 0x20, 2).small).toBe(2)
    expect(read(0x8a, 1, 1, 0x61, 0x90, 1, 7).one).toEqual({ $case: 'number', value: 7 })
  })

  it('passes over fields that it does not know, or knows with another type', () => {
    expect(read(0xf8, 7, 5, 0xfa, 7, 1, 0, 0x0d, 1, 2, 3, 4, 0x20, 6)).toEqual({ ...zero, small: 6 })
  })

  it('gives each message lists and maps of its own', () => {
    const [first, second] = [read(), read()]
    first.texts.push('a')
    first.map.a = 'a'
    expect(second).toEqual(zero)
  })

  it('reads entries without key, and keys that JavaScript has a meaning for', () => {
    expect(read(0x6a, 0).map).toEqual({ '': '' })
    const key = [...Buffer.from('__proto__')]
    const { leafMap } = read(0x7a, key.length + 4, 0x0a, key.length, ...key, 0x12, 0)
    expect(Object.getPrototypeOf(leafMap)).toBe(Object.prototype)
    expect(Object.keys(leafMap)).toEqual(['__proto__'])
  })

  it.each<[string, number[]]>([
    ['a field of number 0', [0x00, 1]], ['the end of a group', [0x0c]], ['a field cut off', [0x0a, 2, 0x61]], ['a message cut off', [0x4a, 3, 0x0a, 1]], ['a list cut off', [0x5a, 2, 1]],
    ['a field that is longer than its message', [0x4a, 2, 0x0a, 2, 0x61, 0x61]], ['a number that is longer than its list', [0x5a, 1, 0x80, 1]],
  ])('refuses %s', (_name, data) => {
    expect(() => read(...data)).toThrow(WireError)
  })

  it.each<[string, Partial<All>]>([
    ['uint32', { small: -1 }], ['int32', { signed: 2 ** 31 }], ['uint64', { big: -1n }], ['uint64', { big: 2n ** 64n }], ['int64', { signedBig: 2n ** 63n }],
  ])('refuses to write what does not fit a %s', (_name, fields) => {
    expect(() => bytes(fields)).toThrow(WireError)
  })

  it('says which text it cannot read', () => {
    expect(() => new Codec('1 a x').decode(new Uint8Array())).toThrow(/no type "x"/)
    expect(() => new Codec('1 a m0').decode(new Uint8Array())).toThrow(/no type "m0"/)
  })
})
