import * as sys from 'native:sys'
import { check } from './errno.ts'
import { Fd } from './fd.ts'

/** Commands of bpf(2), include/uapi/linux/bpf.h. */
const BPF_MAP_CREATE = 0
const BPF_MAP_UPDATE_ELEM = 2
const BPF_PROG_LOAD = 5
const BPF_LINK_CREATE = 28
/** mmap(2), munmap(2), bpf(2) by number on x86_64. */
const SYS_mmap = 9
const SYS_munmap = 11
const SYS_bpf = 321
const PROT_READ = 1
const PROT_WRITE = 2
const MAP_SHARED = 1
/** The helpers we call are the kernel's own: any license will do, and GPL is what its tools say. */
const license = sys.utf8Encode('GPL\0\0\0\0\0')

/** struct bpf_insn. */
export interface Instruction {
  code: number
  dst?: number
  src?: number
  offset?: number
  immediate?: number
}

/** struct bpf_insn: code u8, dst:4 src:4, off s16, imm s32. */
export function assemble(program: readonly Instruction[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(program.length * 8))
  program.forEach(({ code, dst = 0, src = 0, offset = 0, immediate = 0 }, index) => {
    view.setUint8(index * 8, code)
    view.setUint8(index * 8 + 1, dst | (src << 4))
    view.setInt16(index * 8 + 2, offset, true)
    view.setInt32(index * 8 + 4, immediate, true)
  })
  return new Uint8Array(view.buffer)
}

/** BPF_PROG_LOAD; the caller owns the result. `attachType`: BPF_* where the type has several. Throws SysError. */
export function loadProgram(what: string, type: number, instructions: Uint8Array, attachType = 0): Fd {
  // union bpf_attr: prog_type u32, insn_cnt u32, insns u64, license u64, …, expected_attach_type u32 at 68.
  const attr = new DataView(new ArrayBuffer(72))
  attr.setUint32(0, type, true)
  attr.setUint32(4, instructions.length / 8, true)
  attr.setUint32(68, attachType, true)
  return withMemory(what, [instructions, license], ([code = 0, text = 0]) => {
    attr.setBigUint64(8, BigInt(code), true)
    attr.setBigUint64(16, BigInt(text), true)
    return new Fd(bpf('BPF_PROG_LOAD', what, BPF_PROG_LOAD, attr), what)
  })
}

/** BPF_MAP_CREATE; the caller owns the result. Throws SysError. */
export function createMap(what: string, type: number, { keyBytes, valueBytes, entries }: { keyBytes: number; valueBytes: number; entries: number }): Fd {
  const attr = new DataView(new ArrayBuffer(20))
  for (const [at, value] of [type, keyBytes, valueBytes, entries].entries()) attr.setUint32(4 * at, value, true)
  return new Fd(bpf('BPF_MAP_CREATE', what, BPF_MAP_CREATE, attr), what)
}

/** BPF_MAP_UPDATE_ELEM. Borrows `map`. Throws SysError. */
export function updateMap(map: Fd, key: Uint8Array, value: Uint8Array): void {
  // union bpf_attr: map_fd u32, key u64, value u64, flags u64.
  const attr = new DataView(new ArrayBuffer(32))
  attr.setUint32(0, map.number, true)
  withMemory(map.what, [key, value], ([keyAt = 0, valueAt = 0]) => {
    attr.setBigUint64(8, BigInt(keyAt), true)
    attr.setBigUint64(16, BigInt(valueAt), true)
    return bpf('BPF_MAP_UPDATE_ELEM', map.what, BPF_MAP_UPDATE_ELEM, attr)
  })
}

/** BPF_LINK_CREATE: the program is in force as long as the link is open, whoever dies. The caller owns it. Throws SysError. */
export function linkProgram(what: string, program: Fd, targetFd: number, attachType: number): Fd {
  // union bpf_attr: prog_fd u32, target_fd u32, attach_type u32, flags u32.
  const attr = new DataView(new ArrayBuffer(16))
  for (const [at, value] of [program.number, targetFd, attachType].entries()) attr.setUint32(4 * at, value, true)
  return new Fd(bpf('BPF_LINK_CREATE', what, BPF_LINK_CREATE, attr), what)
}

function bpf(name: string, what: string, command: number, attr: DataView<ArrayBuffer>): number {
  return check(`bpf ${name}`, what, sys.syscall(SYS_bpf, command, new Uint8Array(attr.buffer), attr.byteLength))
}

/**
 * bpf(2) takes pointers within its attribute, which a script has none of: the parts go into a memfd, whose mapping has
 * an address for as long as `work` takes. Each part's length is a multiple of 4, so that keys and values are aligned.
 */
function withMemory<T>(what: string, parts: readonly Uint8Array[], work: (addresses: number[]) => T): T {
  using memory = new Fd(check('memfd_create', what, sys.memfdCreate('bpf', 0)), what)
  const total = parts.reduce((sum, part) => sum + part.length, 0)
  const bytes = new Uint8Array(total)
  const offsets = parts.map((part, at) => parts.slice(0, at).reduce((sum, before) => sum + before.length, 0))
  parts.forEach((part, at) => bytes.set(part, offsets[at]))
  check('write', memory.what, sys.write(memory.number, bytes, 0, total))
  const address = check('mmap', memory.what, sys.syscall(SYS_mmap, 0, total, PROT_READ | PROT_WRITE, MAP_SHARED, memory.number, 0))
  try {
    return work(offsets.map(offset => address + offset))
  } finally {
    sys.syscall(SYS_munmap, address, total)
  }
}
