/** Classic BPF as seccomp(2) runs it (include/uapi/linux/filter.h, bpf_common.h). */
import { Fault } from './fault.ts'

export const LD_W_ABS = 0x20 // BPF_LD | BPF_W | BPF_ABS: A = data[k]
export const JA = 0x05 // BPF_JMP | BPF_JA, and the conditional ones, BPF_JMP | … | BPF_K
export const JEQ = 0x15
export const JGT = 0x25
export const JGE = 0x35
export const JSET = 0x45 // A & k is not 0
export const AND = 0x54 // BPF_ALU | BPF_AND | BPF_K: A &= k
export const RET = 0x06 // BPF_RET | BPF_K

/** A place in the program; where it is becomes known when it is put down. */
export class Label {
  at: number | undefined
}

type Test = typeof JEQ | typeof JGT | typeof JGE | typeof JSET

type Instruction =
  | { code: typeof LD_W_ABS | typeof AND | typeof RET; k: number }
  | { code: typeof JA; to: Label }
  | { code: Test; k: number; yes: Label | undefined; no: Label | undefined }

/** include/uapi/linux/bpf_common.h */
const BPF_MAXINSNS = 4096
const maxConditionalJump = 255

/** Collects instructions; jumps go forward, to labels. `source`: what the program is made from, for errors. */
export class Assembler {
  readonly #instructions: Instruction[] = []

  constructor(readonly source: string) {}

  load(offset: number): void {
    this.#instructions.push({ code: LD_W_ABS, k: offset })
  }

  and(mask: number): void {
    this.#instructions.push({ code: AND, k: mask })
  }

  ret(value: number): void {
    this.#instructions.push({ code: RET, k: value })
  }

  jump(to: Label): void {
    this.#instructions.push({ code: JA, to })
  }

  /** `yes` and `no`: where to go on; undefined: with the next instruction. */
  test(code: Test, k: number, yes: Label | undefined, no: Label | undefined): void {
    this.#instructions.push({ code, k, yes, no })
  }

  put(label: Label): void {
    label.at = this.#instructions.length
  }

  /** An array of struct sock_filter: code u16, jt u8, jf u8, k u32. Throws Fault for more than the kernel takes, TypeError for a jump that cannot be. */
  assemble(): Uint8Array {
    const count = this.#instructions.length
    if (count > BPF_MAXINSNS) throw new Fault(`${this.source} makes a filter of ${count} instructions; the kernel takes ${BPF_MAXINSNS}`)
    const view = new DataView(new ArrayBuffer(count * 8))
    this.#instructions.forEach((instruction, index) => {
      view.setUint16(index * 8, instruction.code, true)
      if (instruction.code === JA) {
        view.setUint32(index * 8 + 4, distance(index, instruction.to), true)
        return
      }
      view.setUint32(index * 8 + 4, instruction.k, true)
      if ('yes' in instruction) {
        view.setUint8(index * 8 + 2, shortDistance(index, instruction.yes))
        view.setUint8(index * 8 + 3, shortDistance(index, instruction.no))
      }
    })
    return new Uint8Array(view.buffer)
  }
}

function distance(from: number, to: Label): number {
  if (to.at === undefined || to.at <= from) throw new TypeError('a jump to a label that lies not ahead')
  return to.at - from - 1
}

function shortDistance(from: number, to: Label | undefined): number {
  if (to === undefined) return 0
  const far = distance(from, to)
  if (far > maxConditionalJump) throw new TypeError(`a conditional jump over ${far} instructions`)
  return far
}
