import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AUDIT_ARCH_I386, AUDIT_ARCH_X86_64, X32_SYSCALL_BIT } from '../../../native/ts/constants/seccomp.ts'
import { runFilter } from '../../../native/ts/testing/run-filter.ts'
import { seccompOperators, type LinuxSeccomp, type LinuxSeccompArg, type LinuxSyscall, type SeccompOperator } from '../../../protocol/oci/seccomp.ts'
import { architectures, numbersOf } from './architectures.ts'
import { compileFilter } from './compile.ts'

const ALLOW = 0x7fff0000
const KILL = 0
const errno = (number: number) => 0x00050000 | number
const ENOSYS = errno(38)
const EPERM = errno(1)

const [amd64, x32, i386] = architectures.map(numbersOf)
const all = ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32']

const asking = (...names: string[]): LinuxSyscall => ({ names, action: 'SCMP_ACT_NOTIFY' })

function judge(filter: LinuxSeccomp) {
  const { program } = compileFilter(filter, () => undefined)
  return (nr: number | undefined, args: bigint[] = [], arch = AUDIT_ARCH_X86_64) => runFilter(program, { nr: nr ?? -2, arch, args })
}

describe('a compiled filter', () => {
  it('answers for named calls, and the rest by default', () => {
    const answer = judge({ defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ names: ['mkdir', 'rmdir', 'mount'], action: 'SCMP_ACT_ERRNO' }, { names: ['ptrace'], action: 'SCMP_ACT_ERRNO', errnoRet: 13 }] })
    expect(answer(amd64?.get('mkdir'))).toBe(EPERM)
    expect(answer(amd64?.get('rmdir'))).toBe(EPERM)
    expect(answer(amd64?.get('mount'))).toBe(EPERM)
    expect(answer(amd64?.get('ptrace'))).toBe(errno(13))
    for (const name of ['read', 'write', 'execve', 'umount2']) expect(answer(amd64?.get(name)), name).toBe(ALLOW)
  })

  it('numbers calls by architecture', () => {
    const answer = judge({ defaultAction: 'SCMP_ACT_ALLOW', architectures: all, syscalls: [{ names: ['mkdir'], action: 'SCMP_ACT_ERRNO' }] })
    expect(answer(83)).toBe(EPERM)
    expect(answer(X32_SYSCALL_BIT + 83)).toBe(EPERM)
    expect(answer(39, [], AUDIT_ARCH_I386)).toBe(EPERM)
    expect(answer(83, [], AUDIT_ARCH_I386)).toBe(ALLOW)
    expect([amd64?.get('mkdir'), x32?.get('mkdir'), i386?.get('mkdir')]).toEqual([83, X32_SYSCALL_BIT + 83, 39])
  })

  it('kills calls of architectures it was not given', () => {
    const answer = judge({ defaultAction: 'SCMP_ACT_ALLOW' })
    expect(answer(0)).toBe(ALLOW)
    expect(answer(0, [], AUDIT_ARCH_I386)).toBe(KILL)
    expect(answer(X32_SYSCALL_BIT)).toBe(KILL)
    expect(answer(0, [], 0xc00000b7)).toBe(KILL)
    // A tracer that skips a call sets its number to -1.
    expect(answer(-1)).toBe(ALLOW)
  })

  it('says ENOSYS to calls younger than a restrictive profile', () => {
    const answer = judge({ defaultAction: 'SCMP_ACT_ERRNO', architectures: all, syscalls: [{ names: ['read', 'openat2'], action: 'SCMP_ACT_ALLOW' }] })
    expect(answer(amd64?.get('read'))).toBe(ALLOW)
    expect(answer(amd64?.get('openat2'))).toBe(ALLOW)
    expect(answer(amd64?.get('mkdir'))).toBe(EPERM)
    expect(answer(amd64?.get('faccessat2'))).toBe(ENOSYS)
    expect(answer(5000)).toBe(ENOSYS)
    expect(answer(X32_SYSCALL_BIT + 440)).toBe(ENOSYS)
    expect(answer(440, [], AUDIT_ARCH_I386)).toBe(ENOSYS)
  })

  it('says so to none when the profile has its own word for them', () => {
    expect(judge({ defaultAction: 'SCMP_ACT_LOG', syscalls: [{ names: ['read'], action: 'SCMP_ACT_ALLOW' }] })(5000)).toBe(0x7ffc0000)
    expect(judge({ defaultAction: 'SCMP_ACT_KILL_PROCESS', defaultErrnoRet: 38, syscalls: [] })(5000)).toBe(0x80000000)
  })

  it('needs all conditions of a rule, and tries rules in turn', () => {
    const socket = amd64?.get('socket')
    const answer = judge({
      defaultAction: 'SCMP_ACT_ALLOW',
      syscalls: [
        { names: ['socket'], action: 'SCMP_ACT_ERRNO', errnoRet: 1, args: [{ index: 0, value: 16, op: 'SCMP_CMP_EQ' }, { index: 2, value: 9, op: 'SCMP_CMP_EQ' }] },
        { names: ['socket'], action: 'SCMP_ACT_ERRNO', errnoRet: 2, args: [{ index: 0, value: 40, op: 'SCMP_CMP_EQ' }] },
      ],
    })
    expect(answer(socket, [16n, 3n, 9n])).toBe(errno(1))
    expect(answer(socket, [16n, 3n, 8n])).toBe(ALLOW)
    expect(answer(socket, [40n, 3n, 9n])).toBe(errno(2))
  })

  it('takes several conditions on one argument as alternatives', () => {
    const answer = judge({
      defaultAction: 'SCMP_ACT_ALLOW',
      syscalls: [{ names: ['socket'], action: 'SCMP_ACT_ERRNO', args: [{ index: 0, value: 1, op: 'SCMP_CMP_EQ' }, { index: 0, value: 2, op: 'SCMP_CMP_EQ' }] }],
    })
    expect([0n, 1n, 2n, 3n].map(domain => answer(amd64?.get('socket'), [domain]))).toEqual([ALLOW, EPERM, EPERM, ALLOW])
  })

  it('lets a rule without conditions stand above those with some, in either order', () => {
    const plain = { names: ['socket'], action: 'SCMP_ACT_ERRNO' as const, errnoRet: 5 }
    const conditional = { names: ['socket'], action: 'SCMP_ACT_KILL' as const, args: [{ index: 0, value: 1, op: 'SCMP_CMP_EQ' as const }] }
    for (const syscalls of [[plain, conditional], [conditional, plain]]) {
      expect(judge({ defaultAction: 'SCMP_ACT_ALLOW', syscalls })(amd64?.get('socket'), [1n])).toBe(errno(5))
    }
  })

  it('reaches i386 calls through socketcall and ipc too', () => {
    const answer = judge({ defaultAction: 'SCMP_ACT_ALLOW', architectures: all, syscalls: [{ names: ['accept4', 'shmat'], action: 'SCMP_ACT_ERRNO' }] })
    expect(answer(i386?.get('accept4'), [], AUDIT_ARCH_I386)).toBe(EPERM)
    expect(answer(i386?.get('socketcall'), [18n], AUDIT_ARCH_I386)).toBe(EPERM)
    expect(answer(i386?.get('socketcall'), [1n], AUDIT_ARCH_I386)).toBe(ALLOW)
    expect(answer(i386?.get('ipc'), [21n], AUDIT_ARCH_I386)).toBe(EPERM)
  })

  it('compares 64-bit arguments as numbers do', () => {
    const holds: Record<SeccompOperator, (arg: bigint, value: bigint, two: bigint) => boolean> = {
      SCMP_CMP_NE: (arg, value) => arg !== value,
      SCMP_CMP_LT: (arg, value) => arg < value,
      SCMP_CMP_LE: (arg, value) => arg <= value,
      SCMP_CMP_EQ: (arg, value) => arg === value,
      SCMP_CMP_GE: (arg, value) => arg >= value,
      SCMP_CMP_GT: (arg, value) => arg > value,
      SCMP_CMP_MASKED_EQ: (arg, value, two) => (arg & value) === (two & value),
    }
    // Close neighbours in both halves, where a comparison of halves goes wrong if it does.
    const word = fc.constantFrom(0n, 1n, 2n, 0x7fffffffn, 0x80000000n, 0xfffffffen, 0xffffffffn)
    const small = fc.tuple(fc.constantFrom(0n, 1n, 2n, 0xfffffn), word).map(([high, low]) => (high << 32n) | low)
    const wide = fc.tuple(word, word).map(([high, low]) => (high << 32n) | low)
    fc.assert(fc.property(fc.constantFrom(...seccompOperators), small, small, wide, fc.nat(5), (op, value, two, arg, index) => {
      const condition: LinuxSeccompArg = { index, value: Number(value), valueTwo: Number(two), op }
      const answer = judge({ defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ names: ['ptrace'], action: 'SCMP_ACT_ERRNO', args: [condition] }] })
      const args = [0n, 0n, 0n, 0n, 0n, 0n]
      args[index] = arg
      expect(answer(amd64?.get('ptrace'), args)).toBe(holds[op](arg, value, two) ? EPERM : ALLOW)
    }), { numRuns: 500 })
  })

  it('answers every number as a plain look-up of the profile would', () => {
    const names = [...(amd64 ?? new Map<string, number>()).keys()]
    fc.assert(fc.property(fc.uniqueArray(fc.constantFrom(...names), { minLength: 1, maxLength: 300 }), fc.constantFrom('SCMP_ACT_ALLOW', 'SCMP_ACT_ERRNO'), (named, defaultAction) => {
      const inverse = defaultAction === 'SCMP_ACT_ALLOW' ? 'SCMP_ACT_ERRNO' : 'SCMP_ACT_ALLOW'
      const answer = judge({ defaultAction, architectures: all, syscalls: [{ names: named, action: inverse }] })
      const chosen = new Set(named.map(name => amd64?.get(name)))
      const last = Math.max(...[...chosen].map(Number))
      for (let nr = 0; nr < 500; nr++) {
        const younger = defaultAction === 'SCMP_ACT_ERRNO' && nr > last
        const named = chosen.has(nr)
        expect(answer(nr), `${nr}`).toBe(younger ? ENOSYS : named === (defaultAction === 'SCMP_ACT_ALLOW') ? EPERM : ALLOW)
      }
    }), { numRuns: 20 })
  })

  it('refuses what it cannot give', () => {
    expect(() => compileFilter({ defaultAction: 'SCMP_ACT_NOTIFY', listenerPath: '/x' }, () => undefined)).toThrow(/SCMP_ACT_NOTIFY cannot be the default/)
    expect(() => compileFilter({ defaultAction: 'SCMP_ACT_ALLOW', syscalls: [asking('mkdir')] }, () => undefined)).toThrow(/without listenerPath/)
    expect(() => compileFilter({ defaultAction: 'SCMP_ACT_ALLOW', listenerPath: '/x', syscalls: [asking('mkdir', 'write')] }, () => undefined)).toThrow(/write/)
    expect(() => compileFilter({ defaultAction: 'SCMP_ACT_ALLOW', flags: ['SECCOMP_FILTER_FLAG_NEW'] }, () => undefined)).toThrow(/FLAG_NEW/)
  })
})

describe('a filter that asks an agent', () => {
  const flagsOf = (flags: string[], syscalls: LinuxSyscall[]) => compileFilter({ defaultAction: 'SCMP_ACT_ALLOW', listenerPath: '/x', flags, syscalls }, () => undefined)
  const bits = { TSYNC: 1, LOG: 2, NEW_LISTENER: 8, WAIT_KILLABLE_RECV: 32 } // include/uapi/linux/seccomp.h

  it('is loaded for its descriptor, and answers with a question', () => {
    const { program, flags, asks } = flagsOf([], [asking('mkdir')])
    expect([flags, asks]).toEqual([bits.NEW_LISTENER, true])
    expect(runFilter(program, { nr: amd64?.get('mkdir') ?? -2, arch: AUDIT_ARCH_X86_64, args: [] })).toBe(0x7fc00000)
  })

  it('does without the flags that the kernel does not take together', () => {
    const names = ['TSYNC', 'LOG', 'WAIT_KILLABLE_RECV'].map(name => `SECCOMP_FILTER_FLAG_${name}`)
    expect(flagsOf(names, [asking('mkdir')]).flags).toBe(bits.LOG | bits.NEW_LISTENER | bits.WAIT_KILLABLE_RECV)
    expect(flagsOf(names, []).flags).toBe(bits.TSYNC | bits.LOG)
  })
})

describe('the tables of names', () => {
  it.each([['read', 0, 3], ['execve', 59, 11], ['clone3', 435, 435], ['socket', 41, 359], ['mseal', 462, 462]])('%s is %i on x86_64 and %i on i386', (name, wide, narrow) => {
    expect(amd64?.get(name)).toBe(wide)
    expect(i386?.get(name)).toBe(narrow)
  })

  it('has x32’s own numbers', () => {
    expect(x32?.get('execve')).toBe(X32_SYSCALL_BIT + 520)
  })
})
