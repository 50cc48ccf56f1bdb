import { describe, expect, it } from 'vitest'
import { bytesOf } from './bytes.ts'

describe('a size', () => {
  it.each([['4096', 4096], ['64M', 64 << 20], ['64m', 64 << 20], ['1.5g', 1.5 * 2 ** 30], ['100KiB', 102_400], ['1 kb', 1024], ['12b', 12], ['0', 0], ['-1', -1], ['2t', 2 ** 41]])('%s is %i bytes', (text, bytes) => expect(bytesOf(text)).toBe(bytes))
  it.each(['', 'M', '64X', '-2', '1e3', '0x10', '64 M B', '1.M'])('%j is none', text => expect(bytesOf(text)).toBeUndefined())
})
