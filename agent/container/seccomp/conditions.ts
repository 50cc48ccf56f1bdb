import { type Assembler, JEQ, JGE, JGT, Label } from '../../../native/ts/classic-bpf.ts'
import { dataArgs } from '../../../native/ts/constants/seccomp.ts'
import type { LinuxSeccompArg } from '../../../protocol/oci/seccomp.ts'
import type { Rule } from './rules.ts'

const argBytes = 8
const wordBytes = 4
const maxU64 = 0xffff_ffff_ffff_ffffn

/** Tests rule after rule, and returns what the first that holds says; the last one has no conditions. */
export function testRules(program: Assembler, rules: readonly Rule[], wide: boolean): void {
  for (const { conditions, returns } of rules) {
    const next = new Label()
    for (const condition of conditions) testCondition(program, condition, wide, next)
    program.ret(returns)
    program.put(next)
  }
}

/**
 * Goes on with the next instruction when the condition holds, else at `fail`. BPF has words of 32 bits, so the high
 * half decides, and the low one when the high ones are equal. A 32-bit architecture has only the low half.
 */
function testCondition(program: Assembler, condition: LinuxSeccompArg, wide: boolean, fail: Label): void {
  const low = dataArgs + argBytes * condition.index
  const value = split(condition.value)
  const holds = new Label()
  switch (condition.op) {
    case 'SCMP_CMP_EQ':
      if (wide) equalWord(program, low + wordBytes, value.high, fail)
      equalWord(program, low, value.low, fail)
      break
    case 'SCMP_CMP_NE':
      if (wide) {
        program.load(low + wordBytes)
        program.test(JEQ, value.high, undefined, holds)
      }
      program.load(low)
      program.test(JEQ, value.low, fail, undefined)
      break
    case 'SCMP_CMP_GT':
    case 'SCMP_CMP_GE':
      if (wide) {
        program.load(low + wordBytes)
        program.test(JGT, value.high, holds, undefined)
        program.test(JEQ, value.high, undefined, fail)
      }
      program.load(low)
      program.test(condition.op === 'SCMP_CMP_GT' ? JGT : JGE, value.low, undefined, fail)
      break
    case 'SCMP_CMP_LT':
    case 'SCMP_CMP_LE':
      if (wide) {
        program.load(low + wordBytes)
        program.test(JGT, value.high, fail, undefined)
        program.test(JEQ, value.high, undefined, holds)
      }
      program.load(low)
      program.test(condition.op === 'SCMP_CMP_LT' ? JGE : JGT, value.low, fail, undefined)
      break
    case 'SCMP_CMP_MASKED_EQ': {
      // `value` is the mask, `valueTwo` what is left of the argument under it; its bits beside the mask do not count.
      const wanted = split(condition.valueTwo ?? 0)
      if (wide) maskedWord(program, low + wordBytes, value.high, (wanted.high & value.high) >>> 0, fail)
      maskedWord(program, low, value.low, (wanted.low & value.low) >>> 0, fail)
      break
    }
  }
  program.put(holds)
}

function equalWord(program: Assembler, offset: number, wanted: number, fail: Label): void {
  program.load(offset)
  program.test(JEQ, wanted, undefined, fail)
}

function maskedWord(program: Assembler, offset: number, mask: number, wanted: number, fail: Label): void {
  program.load(offset)
  program.and(mask)
  program.test(JEQ, wanted, undefined, fail)
}

/** The halves of a u64. Above 2^53 JSON's number was rounded; above 2^64 it stands for the highest. */
function split(value: number): { high: number; low: number } {
  const whole = BigInt(value) > maxU64 ? maxU64 : BigInt(value)
  return { high: Number(whole >> 32n), low: Number(whole & 0xffff_ffffn) }
}
