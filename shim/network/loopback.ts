import * as sys from 'native:sys'
import { assemble, createMap, type Instruction, linkProgram, loadProgram, updateMap } from '../../native/ts/bpf.ts'
import { AF_INET, AF_INET6, SOCK_NONBLOCK, SOCK_STREAM } from '../../native/ts/constants/socket.ts'
import { check, E, isErrno } from '../../native/ts/errno.ts'
import { Fd } from '../../native/ts/fd.ts'
import type { Netns } from './netns.ts'

/** include/uapi/linux/bpf.h */
const BPF_MAP_TYPE_SOCKMAP = 15
const BPF_PROG_TYPE_SK_LOOKUP = 30
const BPF_SK_LOOKUP = 36
const BPF_PSEUDO_MAP_FD = 1
const SK_PASS = 1
/** Helper functions by number. */
const helper = { mapLookup: 1, release: 86, assign: 124 } as const
/** struct bpf_sk_lookup: offsets of its fields. */
const field = { family: 8, protocol: 12, localIp4: 40, localIp6: 44 } as const
const IPPROTO_TCP = 6
/** First byte of an IPv4 address of loopback. */
const loopbackNet = 127
/** ::1 ends in these four bytes, read as a little-endian word. */
const ip6LastWord = 0x0100_0000

const LDX_W = 0x61 // BPF_LDX | BPF_MEM | BPF_W
const ST_W = 0x62 // BPF_ST | BPF_MEM | BPF_W: *(u32 *)(dst + off) = immediate
const AND_IMM = 0x54 // BPF_ALU | BPF_AND | BPF_K
const MOV_IMM = 0xb7 // BPF_ALU64 | BPF_MOV | BPF_K
const MOV_REG = 0xbf // BPF_ALU64 | BPF_MOV | BPF_X
const ADD_IMM = 0x07 // BPF_ALU64 | BPF_ADD | BPF_K
const LD_IMM64 = 0x18 // BPF_LD | BPF_DW | BPF_IMM, two instructions
const JA = 0x05 // BPF_JMP | BPF_JA
const JEQ_IMM = 0x15 // BPF_JMP | BPF_JEQ | BPF_K
const JNE_IMM = 0x55 // BPF_JMP | BPF_JNE | BPF_K
const CALL = 0x85
const EXIT = 0x95
/** Registers: 0 result, 1–3 arguments, 6–7 kept over calls, 10 the stack's end. */
const [r0, r1, r2, r3, r6, r7, r10] = [0, 1, 2, 3, 6, 7, 10]

/** A program with named places to jump to. */
type Line = Instruction | { label: string } | (Instruction & { to: string })

/**
 * Asked for each new connection in the namespace, before the kernel looks for a listener: one to the TCP loopback, whatever
 * its port, is given to our listener of its family; anything else goes on as without us.
 */
export function loopbackProgram(mapFd: number): Uint8Array {
  const lines: Line[] = [
    { code: LDX_W, dst: r2, src: r1, offset: field.protocol }, { code: JNE_IMM, dst: r2, immediate: IPPROTO_TCP, to: 'pass' },
    { code: MOV_REG, dst: r6, src: r1 },
    { code: LDX_W, dst: r2, src: r1, offset: field.family }, { code: JEQ_IMM, dst: r2, immediate: AF_INET6, to: 'ipv6' },
    { code: JNE_IMM, dst: r2, immediate: AF_INET, to: 'pass' },
    { code: LDX_W, dst: r2, src: r1, offset: field.localIp4 }, { code: AND_IMM, dst: r2, immediate: 0xff },
    { code: JNE_IMM, dst: r2, immediate: loopbackNet, to: 'pass' },
    { code: ST_W, dst: r10, offset: -4, immediate: keyOf(AF_INET) }, { code: JA, to: 'assign' },
    { label: 'ipv6' },
    ...[0, 4, 8].flatMap((at): Line[] => [
      { code: LDX_W, dst: r2, src: r1, offset: field.localIp6 + at }, { code: JNE_IMM, dst: r2, immediate: 0, to: 'pass' }]),
    { code: LDX_W, dst: r2, src: r1, offset: field.localIp6 + 12 }, { code: JNE_IMM, dst: r2, immediate: ip6LastWord, to: 'pass' },
    { code: ST_W, dst: r10, offset: -4, immediate: keyOf(AF_INET6) },
    { label: 'assign' },
    { code: LD_IMM64, dst: r1, src: BPF_PSEUDO_MAP_FD, immediate: mapFd }, { code: 0 },
    { code: MOV_REG, dst: r2, src: r10 }, { code: ADD_IMM, dst: r2, immediate: -4 },
    { code: CALL, immediate: helper.mapLookup }, { code: JEQ_IMM, dst: r0, immediate: 0, to: 'pass' },
    { code: MOV_REG, dst: r7, src: r0 },
    { code: MOV_REG, dst: r1, src: r6 }, { code: MOV_REG, dst: r2, src: r7 }, { code: MOV_IMM, dst: r3, immediate: 0 },
    { code: CALL, immediate: helper.assign },
    { code: MOV_REG, dst: r1, src: r7 }, { code: CALL, immediate: helper.release },
    { label: 'pass' },
    { code: MOV_IMM, dst: r0, immediate: SK_PASS }, { code: EXIT },
  ]
  return assemble(resolve(lines))
}

/** Jumps count from the instruction behind them. */
function resolve(lines: readonly Line[]): Instruction[] {
  const places = new Map<string, number>()
  const instructions: (Instruction & { to?: string })[] = []
  for (const line of lines) {
    if ('label' in line) places.set(line.label, instructions.length)
    else instructions.push(line)
  }
  return instructions.map(({ to, ...instruction }, at) => (to === undefined ? instruction : { ...instruction, offset: (places.get(to) ?? at) - at - 1 }))
}

/** The map's key for a family's listener. */
function keyOf(family: number): number {
  return family === AF_INET ? 0 : 1
}

/** Listeners that take every TCP connection to the loopback of a namespace, as long as this is open. */
export class LoopbackListeners implements Disposable {
  /** Non-blocking; one a family that the namespace has. */
  readonly listeners: Fd[] = []
  readonly #held: Fd[] = []

  /**
   * Needs nothing but a kernel with sk_lookup programs (5.9). When the shim dies, so does the link, and connections are refused
   * again: nothing is left to remove. Throws SysError; nothing is held then.
   */
  constructor(netns: Netns) {
    try {
      const map = this.#hold(createMap('loopback listeners', BPF_MAP_TYPE_SOCKMAP, { keyBytes: 4, valueBytes: 8, entries: 2 }))
      netns.run(() => {
        for (const [family, address] of [[AF_INET, '127.0.0.1'], [AF_INET6, '::1']] as const) this.#listen(map, family, address)
      })
      const program = this.#hold(loadProgram('loopback program', BPF_PROG_TYPE_SK_LOOKUP, loopbackProgram(map.number), BPF_SK_LOOKUP))
      this.#hold(linkProgram('loopback link', program, netns.fd, BPF_SK_LOOKUP))
    } catch (error) {
      this[Symbol.dispose]()
      throw error
    }
  }

  [Symbol.dispose](): void {
    for (const fd of [...this.#held.splice(0).reverse(), ...this.listeners.splice(0)]) fd.close()
  }

  #hold(fd: Fd): Fd {
    this.#held.push(fd)
    return fd
  }

  #listen(map: Fd, family: number, address: string): void {
    let listener: Fd
    try {
      listener = listenInet(family, address)
    } catch (error) {
      // A namespace without IPv6, or with its loopback down: nobody can connect there either.
      if (isErrno(error, E.EAFNOSUPPORT, E.EADDRNOTAVAIL)) return
      throw error
    }
    this.listeners.push(listener)
    const [key, value] = [new Uint8Array(4), new Uint8Array(8)]
    key[0] = keyOf(family)
    new DataView(value.buffer).setUint32(0, listener.number, true)
    updateMap(map, key, value)
  }
}

/** Connections that wait to be accepted. */
const backlog = 128

function listenInet(family: number, address: string): Fd {
  const what = `listener on ${address}`
  const listener = new Fd(check('socket', what, sys.socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0)), what)
  try {
    check('bind', what, sys.bindInet(listener.number, address, 0))
    check('listen', what, sys.listen(listener.number, backlog))
    return listener
  } catch (error) {
    listener.close()
    throw error
  }
}
