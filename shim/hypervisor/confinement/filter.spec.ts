import { describe, expect, it } from 'vitest'
import { socketDaemonFilter } from './filter.ts'

const x86 = 0xc000_003e

/** Runs the program on a system call as the kernel would (the instructions that it uses); gives SECCOMP_RET_*. */
function judge(number: number, { arch = x86, argument = 0 } = {}): { action: number; errno: number } {
  const program = socketDaemonFilter()
  const view = new DataView(program.buffer)
  let loaded = 0
  for (let at = 0; at < program.length / 8; at++) {
    const [code, ifTrue, ifFalse, value] = [view.getUint16(at * 8, true), view.getUint8(at * 8 + 2), view.getUint8(at * 8 + 3), view.getUint32(at * 8 + 4, true)]
    if (code === 0x20) loaded = value === 0 ? number : value === 4 ? arch : argument
    else if (code === 0x15) at += loaded === value ? ifTrue : ifFalse
    else if (code === 0x45) at += (loaded & value) !== 0 ? ifTrue : ifFalse
    else if (code === 0x06) return { action: value & 0x7fff_0000, errno: value & 0xffff }
    else throw new Error(`instruction ${code}`)
  }
  throw new Error('ran off its end')
}
const allowed = { action: 0x7fff_0000, errno: 0 }
const refused = (errno: number) => ({ action: 0x0005_0000, errno })

describe('socketDaemonFilter', () => {
  it.each([['read', 0], ['sendmsg', 46], ['accept4', 288], ['futex', 202], ['execveat, by which it begins', 322]])('allows %s', (_name, number) => {
    expect(judge(number)).toEqual(allowed)
  })

  it.each([
    ['execve', 59], ['ptrace', 101], ['mount', 165], ['unshare', 272], ['setns', 308], ['bpf', 321], ['clone3', 435], ['process_vm_readv', 310],
    ['io_uring_setup', 425], ['userfaultfd', 323], ['keyctl', 250], ['perf_event_open', 298], ['kill', 62], ['setuid', 105], ['fork', 57], ['memfd_create', 319],
  ])('knows no %s', (_name, number) => expect(judge(number)).toEqual(refused(38)))

  it('allows sockets of the host\'s file system, and no other', () => {
    expect(judge(41, { argument: 1 })).toEqual(allowed)
    for (const family of [2, 10, 16, 17, 40]) expect(judge(41, { argument: family })).toEqual(refused(97))
  })

  it('allows threads and no namespace', () => {
    expect(judge(56, { argument: 0x3d_0f00 })).toEqual(allowed)
    for (const flag of [0x1000_0000, 0x2_0000, 0x2000_0000, 0x4000_0000, 0x80]) expect(judge(56, { argument: flag })).toEqual(refused(1))
  })

  it('ends a process that calls by another architecture\'s numbers', () => {
    expect(judge(0, { arch: 0x4000_0003 }).action).toBe(0x8000_0000 & 0x7fff_0000)
    expect(judge(0x4000_0000)).toEqual(refused(38))
  })
})
