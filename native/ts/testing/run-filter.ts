/** Runs a seccomp filter as the kernel would (Documentation/networking/filter.rst), for tests. */

export interface Call {
  nr: number
  arch: number
  args?: readonly bigint[]
}

/** What the filter returns for a call. Throws for what the kernel would refuse to load. */
export function runFilter(program: Uint8Array, { nr, arch, args = [] }: Call): number {
  const data = new DataView(new ArrayBuffer(64)) // struct seccomp_data
  data.setUint32(0, nr >>> 0, true)
  data.setUint32(4, arch, true)
  args.forEach((arg, index) => data.setBigUint64(16 + 8 * index, BigInt.asUintN(64, arg), true))
  const code = new DataView(program.buffer, program.byteOffset, program.byteLength)
  const count = program.length / 8
  let accumulator = 0
  for (let at = 0; ;) {
    if (at >= count) throw new Error(`runs past its end, to ${at}`)
    const [op, jt, jf, k] = [code.getUint16(at * 8, true), code.getUint8(at * 8 + 2), code.getUint8(at * 8 + 3), code.getUint32(at * 8 + 4, true)]
    at++
    switch (op) {
      case 0x20: accumulator = data.getUint32(k, true); break
      case 0x54: accumulator = (accumulator & k) >>> 0; break
      case 0x05: at += k; break
      case 0x15: at += accumulator === k ? jt : jf; break
      case 0x25: at += accumulator > k ? jt : jf; break
      case 0x35: at += accumulator >= k ? jt : jf; break
      case 0x45: at += (accumulator & k) !== 0 ? jt : jf; break
      case 0x06: return k
      default: throw new Error(`unknown instruction ${op.toString(16)}`)
    }
  }
}
