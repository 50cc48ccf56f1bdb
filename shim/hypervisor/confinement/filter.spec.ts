import { describe, expect, it } from 'vitest'
import { AUDIT_ARCH_I386, AUDIT_ARCH_X86_64, SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO, SECCOMP_RET_KILL_PROCESS } from '../../../native/ts/constants/seccomp.ts'
import { runFilter } from '../../../native/ts/testing/run-filter.ts'
import { socketDaemonFilter } from './filter.ts'

/** What the filter answers a system call with: SECCOMP_RET_*, and its data. */
function judge(number: number, { arch = AUDIT_ARCH_X86_64, argument = 0 } = {}): { action: number; errno: number } {
  const returned = runFilter(socketDaemonFilter(), { nr: number, arch, args: [BigInt(argument)] })
  return { action: (returned & 0xffff_0000) >>> 0, errno: returned & 0xffff }
}
const allowed = { action: SECCOMP_RET_ALLOW, errno: 0 }
const refused = (errno: number) => ({ action: SECCOMP_RET_ERRNO, errno })

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
    expect(judge(0, { arch: AUDIT_ARCH_I386 }).action).toBe(SECCOMP_RET_KILL_PROCESS)
    expect(judge(0x4000_0000)).toEqual(refused(38))
  })
})
