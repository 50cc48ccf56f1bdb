import { describe, expect, it } from 'vitest'
import { parseHeader } from './header.ts'

const header = (magic: string, id: bigint): Uint8Array => {
  const bytes = new Uint8Array(16)
  bytes.set(new TextEncoder().encode(magic))
  new DataView(bytes.buffer).setBigUint64(8, id, true)
  return bytes
}

describe('header of a stream connection', () => {
  it.each([1n, 258n, 2n ** 64n - 1n])('names stream %s', id => {
    expect(parseHeader(header('KTSTREAM', id))).toBe(id)
  })

  it.each([
    ['another magic', header('KTSTREAN', 1n)],
    ['id 0', header('KTSTREAM', 0n)],
    ['a short header', header('KTSTREAM', 1n).subarray(0, 15)],
  ])('is refused with %s', (_what, bytes) => {
    expect(parseHeader(bytes)).toBeUndefined()
  })

  it('is read where it lies in a larger buffer', () => {
    const buffer = new Uint8Array(40)
    buffer.set(header('KTSTREAM', 5n), 20)
    expect(parseHeader(buffer.subarray(20, 36))).toBe(5n)
  })
})
