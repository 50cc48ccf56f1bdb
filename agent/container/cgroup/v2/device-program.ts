/**
 * The device controller of cgroup v2 is a BPF program (Documentation/bpf/, BPF_PROG_TYPE_CGROUP_DEVICE): the kernel
 * asks it for each open(2) and mknod(2) of a device, and 0 means no.
 */
import * as sys from 'native:sys'
import { O_DIRECTORY, O_RDONLY } from '../../../../native/ts/constants/fcntl.ts'
import { assemble, type Instruction, loadProgram } from '../../../../native/ts/bpf.ts'
import { check } from '../../../../native/ts/errno.ts'
import { type Fd, open } from '../../../../native/ts/fd.ts'
import type { LinuxDeviceCgroup } from '../../../../protocol/oci/resources.ts'
import { deviceRule, type DeviceRule } from '../device-rules.ts'

/** include/uapi/linux/bpf.h, bpf_common.h */
const BPF_PROG_ATTACH = 8
const BPF_PROG_TYPE_CGROUP_DEVICE = 15
const BPF_CGROUP_DEVICE = 6
const BPF_F_ALLOW_MULTI = 2
const BPF_F_REPLACE = 4
const BPF_DEVCG_ACC_MKNOD = 1
const BPF_DEVCG_ACC_READ = 2
const BPF_DEVCG_ACC_WRITE = 4
const BPF_DEVCG_DEV_BLOCK = 1
const BPF_DEVCG_DEV_CHAR = 2

const LDX_W = 0x61 // BPF_LDX | BPF_MEM | BPF_W: dst = *(u32 *)(src + off)
const AND32_IMM = 0x54 // BPF_ALU | BPF_AND | BPF_K
const RSH32_IMM = 0x74 // BPF_ALU | BPF_RSH | BPF_K
const MOV32_REG = 0xbc // BPF_ALU | BPF_MOV | BPF_X
const MOV64_IMM = 0xb7 // BPF_ALU64 | BPF_MOV | BPF_K
const JNE_IMM = 0x55 // BPF_JMP | BPF_JNE | BPF_K
const JNE_REG = 0x5d // BPF_JMP | BPF_JNE | BPF_X
const EXIT = 0x95

/** bpf(2) by number: x86_64 321, and the generic table's 280 (aarch64). */
const SYS_bpf = 321

const accessBits: Readonly<Record<string, number>> = { r: BPF_DEVCG_ACC_READ, w: BPF_DEVCG_ACC_WRITE, m: BPF_DEVCG_ACC_MKNOD }

/**
 * The program for a list of rules. Later rules win, so they are asked from the last to the first, and the first that
 * covers the request decides. Registers: r2 type, r3 access, r4 major, r5 minor of struct bpf_cgroup_dev_ctx.
 */
export function deviceProgram(rules: readonly LinuxDeviceCgroup[]): Uint8Array {
  const program: Instruction[] = [
    { code: LDX_W, dst: 2, src: 1, offset: 0 },
    { code: AND32_IMM, dst: 2, immediate: 0xffff },
    { code: LDX_W, dst: 3, src: 1, offset: 0 },
    { code: RSH32_IMM, dst: 3, immediate: 16 },
    { code: LDX_W, dst: 4, src: 1, offset: 4 },
    { code: LDX_W, dst: 5, src: 1, offset: 8 },
  ]
  let decided = false
  for (const rule of rules.map(deviceRule).reverse()) {
    const tests = ruleTests(rule)
    const answer: Instruction[] = [{ code: MOV64_IMM, dst: 0, immediate: rule.allow ? 1 : 0 }, { code: EXIT }]
    // A failed test jumps over the tests that follow it and the answer.
    tests.forEach((test, index) => {
      const jumps = test.code === JNE_IMM || test.code === JNE_REG
      program.push(jumps ? { ...test, offset: tests.length - index - 1 + answer.length } : test)
    })
    program.push(...answer)
    // Nothing behind a rule for everything is ever asked, and the verifier refuses code that cannot be reached.
    decided = tests.length === 0
    if (decided) break
  }
  if (!decided) program.push({ code: MOV64_IMM, dst: 0, immediate: 0 }, { code: EXIT })
  return assemble(program)
}

/** Instructions of which each jump is taken when the rule does not cover the request. */
function ruleTests(rule: DeviceRule): Instruction[] {
  const tests: Instruction[] = []
  if (rule.type !== 'a') tests.push({ code: JNE_IMM, dst: 2, immediate: rule.type === 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR })
  const access = [...rule.access].reduce((bits, letter) => bits | (accessBits[letter] ?? 0), 0)
  if (access !== (BPF_DEVCG_ACC_MKNOD | BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE)) {
    // Covered when all that is asked for is among the rule's: (access & rule) == access.
    tests.push({ code: MOV32_REG, dst: 1, src: 3 }, { code: AND32_IMM, dst: 1, immediate: access }, { code: JNE_REG, dst: 1, src: 3 })
  }
  if (rule.major !== undefined) tests.push({ code: JNE_IMM, dst: 4, immediate: rule.major })
  if (rule.minor !== undefined) tests.push({ code: JNE_IMM, dst: 5, immediate: rule.minor })
  return tests
}

/** Loads the program for `rules` and puts it on the cgroup, in the place of `previous` (taken over). The caller owns the result. */
export function attachDeviceProgram(directory: string, rules: readonly LinuxDeviceCgroup[], previous: Fd | undefined): Fd {
  const program = loadProgram(`device program of ${directory}`, BPF_PROG_TYPE_CGROUP_DEVICE, deviceProgram(rules))
  try {
    using cgroup = open(directory, O_RDONLY | O_DIRECTORY)
    // union bpf_attr for BPF_PROG_ATTACH: target_fd, attach_bpf_fd, attach_type, attach_flags, replace_bpf_fd.
    const attr = new DataView(new ArrayBuffer(20))
    attr.setUint32(0, cgroup.number, true)
    attr.setUint32(4, program.number, true)
    attr.setUint32(8, BPF_CGROUP_DEVICE, true)
    attr.setUint32(12, previous ? BPF_F_ALLOW_MULTI | BPF_F_REPLACE : BPF_F_ALLOW_MULTI, true)
    attr.setUint32(16, previous?.number ?? 0, true)
    check('bpf BPF_PROG_ATTACH', directory, sys.syscall(SYS_bpf, BPF_PROG_ATTACH, new Uint8Array(attr.buffer), attr.byteLength))
    previous?.close()
    return program
  } catch (error) {
    program.close()
    throw error
  }
}
