import { existsSync, readFileSync, statSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

const built = new URL('../../build/', import.meta.url).pathname
const mebibyte = 1 << 20

/** DESIGN's numbers to hold, in bytes. */
const limits: Record<string, number> = {
  'bin/containerd-shim-kata-ts-v2': 3 * mebibyte,
  'bin/kata-ts-agent': 3 * mebibyte,
  'bin/kata-ts': 3 * mebibyte,
  'guest/initrd.cpio': 3 * mebibyte,
}

describe('sizes', () => {
  for (const [path, limit] of Object.entries(limits)) {
    it(`${path} is at most ${limit / mebibyte} MiB`, () => {
      expect(existsSync(built + path), `build/${path} is missing: hack/build makes it`).toBe(true)
      expect(statSync(built + path).size).toBeLessThanOrEqual(limit)
    })
  }

  it('the binaries need no shared library and no interpreter: they run in any image and any chroot', () => {
    for (const path of Object.keys(limits).filter((name) => name.startsWith('bin/'))) {
      expect({ path, types: programHeaderTypes(readFileSync(built + path)) }).toEqual({
        path, types: expect.not.arrayContaining([interpreter]),
      })
    }
  })
})

const interpreter = 3 // PT_INTERP, elf(5)

/** p_type of every program header of a little-endian 64-bit ELF file (elf(5)). */
function programHeaderTypes(elf: Buffer): number[] {
  const offset = Number(elf.readBigUInt64LE(32))
  const size = elf.readUInt16LE(54)
  return Array.from({ length: elf.readUInt16LE(56) }, (_, index) => elf.readUInt32LE(offset + index * size))
}
