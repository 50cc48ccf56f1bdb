import { describe, expect, it } from 'vitest'
import type { LinuxDeviceCgroup } from '../../../../protocol/oci/resources.ts'
import { withDefaultDevices } from '../device-rules.ts'
import { deviceProgram } from './device-program.ts'

const [mknod, read, write] = [1, 2, 4]
const [block, char] = [1, 2]

/** Runs the few instructions such a program has, on a struct bpf_cgroup_dev_ctx. */
function allowed(rules: LinuxDeviceCgroup[], type: number, access: number, major: number, minor: number): boolean {
  const program = deviceProgram(rules)
  const code = new DataView(program.buffer)
  const registers = new Array<number>(11).fill(0)
  const context = [(access << 16) | type, major, minor]
  for (let at = 0; at < program.length / 8;) {
    const [op, regs, offset, immediate] = [code.getUint8(at * 8), code.getUint8(at * 8 + 1), code.getInt16(at * 8 + 2, true), code.getInt32(at * 8 + 4, true)]
    const [dst, src] = [regs & 15, regs >> 4]
    const [left, right] = [registers[dst] ?? 0, registers[src] ?? 0]
    at++
    switch (op) {
      case 0x61: registers[dst] = context[offset / 4] ?? 0; break
      case 0x54: registers[dst] = left & immediate; break
      case 0x74: registers[dst] = left >>> immediate; break
      case 0xbc: registers[dst] = right; break
      case 0xb7: registers[dst] = immediate; break
      case 0x55: at += left !== immediate ? offset : 0; break
      case 0x5d: at += left !== right ? offset : 0; break
      case 0x95: return registers[0] === 1
      default: throw new Error(`unknown instruction ${op.toString(16)}`)
    }
  }
  throw new Error('runs past its end')
}

describe('the device program', () => {
  it('denies everything without rules', () => {
    expect(allowed([], char, read, 1, 3)).toBe(false)
  })

  it('lets the later rule win', () => {
    const rules: LinuxDeviceCgroup[] = [{ allow: true, type: 'c', major: 1, access: 'rwm' }, { allow: false, type: 'c', major: 1, minor: 5, access: 'w' }]
    expect(allowed(rules, char, read | write, 1, 3)).toBe(true)
    expect(allowed(rules, char, write, 1, 5)).toBe(false)
    expect(allowed(rules, char, read, 1, 5)).toBe(true)
    expect(allowed([...rules].reverse(), char, write, 1, 5)).toBe(true)
  })

  it('covers a request only with all of its accesses', () => {
    const rules: LinuxDeviceCgroup[] = [{ allow: true, type: 'c', major: 10, minor: 200, access: 'r' }]
    expect(allowed(rules, char, read, 10, 200)).toBe(true)
    expect(allowed(rules, char, read | write, 10, 200)).toBe(false)
  })

  it('tells block from character devices', () => {
    const rules: LinuxDeviceCgroup[] = [{ allow: true, type: 'b', major: 8, access: 'rwm' }]
    expect(allowed(rules, block, read, 8, 1)).toBe(true)
    expect(allowed(rules, char, read, 8, 1)).toBe(false)
  })

  it('gives every container its default devices and mknod, and no more', () => {
    const rules = withDefaultDevices([{ allow: false, access: 'rwm' }])
    expect(allowed(rules, char, read | write, 1, 3)).toBe(true)
    expect(allowed(rules, char, read | write, 136, 7)).toBe(true)
    expect(allowed(rules, block, mknod, 8, 0)).toBe(true)
    expect(allowed(rules, block, read, 8, 0)).toBe(false)
    expect(allowed(rules, char, read, 1, 11)).toBe(false)
  })

  it('gives a privileged container everything', () => {
    const rules = withDefaultDevices([{ allow: true, access: 'rwm' }])
    expect(allowed(rules, block, read | write | mknod, 254, 0)).toBe(true)
  })

  it('has no code behind a rule for everything, which the kernel’s verifier would refuse', () => {
    expect(deviceProgram([{ allow: false, type: 'c' }, { allow: true }]).length).toBe((6 + 2) * 8)
  })
})
