/** Compiled filters, run as the kernel runs them, against a direct reading of the profile. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { architectures, multiplexed, numbersOf } from '../../agent/container/seccomp/architectures.ts'
import { compileFilter } from '../../agent/container/seccomp/compile.ts'
import { AUDIT_ARCH_I386, AUDIT_ARCH_X86_64, X32_SYSCALL_BIT } from '../../native/ts/constants/seccomp.ts'
import { type Call, runFilter } from '../../native/ts/testing/run-filter.ts'
import { type LinuxSeccomp, type LinuxSeccompArg, type LinuxSyscall, type SeccompAction, seccompOperators } from '../../protocol/oci/seccomp.ts'
import { corpus } from './corpus.ts'
import { settings } from './settings.ts'

/** include/uapi/linux/seccomp.h */
const returnsOf: Record<Exclude<SeccompAction, 'SCMP_ACT_NOTIFY'>, number> = {
  SCMP_ACT_KILL: 0, SCMP_ACT_KILL_THREAD: 0, SCMP_ACT_KILL_PROCESS: 0x80000000, SCMP_ACT_TRAP: 0x30000, SCMP_ACT_ERRNO: 0x50000,
  SCMP_ACT_TRACE: 0x7ff00000, SCMP_ACT_LOG: 0x7ffc0000, SCMP_ACT_ALLOW: 0x7fff0000,
}
const actions = Object.keys(returnsOf) as Exclude<SeccompAction, 'SCMP_ACT_NOTIFY'>[] // its own keys
const ENOSYS = 0x50000 | 38
const foreign = 0xc00000b7 // AUDIT_ARCH_AARCH64

/** What the profile says of a call: rules are tried one after the other, each condition is arithmetic on whole numbers. */
function interpret(filter: LinuxSeccomp, { nr, arch, args = [] }: Call): number {
  const asked = architectures.filter(({ name }) => name === 'SCMP_ARCH_X86_64' || filter.architectures?.includes(name))
  const candidates = asked.filter(({ audit }) => audit === arch)
  const isX32 = arch === AUDIT_ARCH_X86_64 && (nr >>> 0) >= X32_SYSCALL_BIT
  const architecture = isX32 ? candidates.find(({ base }) => base !== 0) ?? candidates[0] : candidates.find(({ base }) => base === 0)
  if (architecture === undefined) return 0
  const numbers = numbersOf(architecture)
  const otherwise = valueOf(filter.defaultAction, filter.defaultErrnoRet)
  const named = (filter.syscalls ?? []).flatMap(({ names }) => names.map(name => numbers.get(name))).filter(number => number !== undefined)
  const permits = ['SCMP_ACT_ALLOW', 'SCMP_ACT_LOG', 'SCMP_ACT_TRACE'].includes(filter.defaultAction)
  const youngest = Math.max(...named)
  const unknown = named.length > 0 && !permits && (nr >>> 0) > youngest ? ENOSYS : otherwise
  // Without x32 among the architectures its numbers are foreign; -1 is what a tracer leaves of a call that it skips.
  if (isX32 && architecture.base === 0 && (nr >>> 0) !== 0xffff_ffff) return unknown === ENOSYS ? ENOSYS : 0
  const rules = (filter.syscalls ?? []).flatMap(rule => rulesFor(rule, nr >>> 0, numbers, arch)).filter(rule => rule.returns !== otherwise)
  const plain = rules.find(({ conditions }) => conditions.length === 0)
  const hit = plain ?? rules.find(({ conditions }) => conditions.every(one => holds(one, args[one.index] ?? 0n, architecture.wide)))
  return hit?.returns ?? unknown
}

interface Rule { conditions: LinuxSeccompArg[]; returns: number }

function rulesFor(rule: LinuxSyscall, nr: number, numbers: ReadonlyMap<string, number>, arch: number): Rule[] {
  const args = rule.args ?? []
  const returns = valueOf(rule.action, rule.errnoRet)
  // Two conditions on one argument are alternatives.
  const sets = new Set(args.map(({ index }) => index)).size < args.length ? args.map(one => [one]) : [args]
  return rule.names.flatMap(name => sets.flatMap(conditions => {
    const found: Rule[] = numbers.get(name) === nr ? [{ conditions, returns }] : []
    const way = arch === AUDIT_ARCH_I386 && Object.hasOwn(multiplexed, name) ? multiplexed[name] : undefined
    if (way && numbers.get(way.by) === nr) found.push({ conditions: [{ index: 0, op: 'SCMP_CMP_EQ', value: way.call }, ...conditions.filter(({ index }) => index !== 0)], returns })
    return found
  }))
}

function valueOf(action: SeccompAction, errno: number | undefined): number {
  if (action === 'SCMP_ACT_NOTIFY') throw new Error('no profile here asks somebody else')
  return returnsOf[action] + (action === 'SCMP_ACT_ERRNO' || action === 'SCMP_ACT_TRACE' ? errno ?? 1 : 0)
}

function holds({ op, value, valueTwo = 0 }: LinuxSeccompArg, whole: bigint, wide: boolean): boolean {
  const width = wide ? 64 : 32
  const [arg, one, two] = [BigInt.asUintN(width, whole), BigInt.asUintN(width, BigInt(value)), BigInt.asUintN(width, BigInt(valueTwo))]
  switch (op) {
    case 'SCMP_CMP_NE': return arg !== one
    case 'SCMP_CMP_LT': return arg < one
    case 'SCMP_CMP_LE': return arg <= one
    case 'SCMP_CMP_EQ': return arg === one
    case 'SCMP_CMP_GE': return arg >= one
    case 'SCMP_CMP_GT': return arg > one
    case 'SCMP_CMP_MASKED_EQ': return (arg & one) === (two & one)
  }
}

const names = [...new Set(architectures.flatMap(architecture => [...numbersOf(architecture).keys()]))]
/** Few names, so that rules meet; some that are reached by another call on i386, and one that does not exist. */
const few = ['read', 'write', 'socket', 'accept4', 'shmat', 'socketcall', 'ipc', 'clone3', 'personality', 'no_such_call']
const name = fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...few) }, { weight: 1, arbitrary: fc.constantFrom(...names) })
const edge = fc.constantFrom(0, 1, 2, 16, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1, 2 ** 53)
const condition: fc.Arbitrary<LinuxSeccompArg> = fc.record({ index: fc.nat(2), value: edge, valueTwo: edge, op: fc.constantFrom(...seccompOperators) })
const withErrno = <Key extends string, Code extends string>(key: Key, code: Code): fc.Arbitrary<Record<Key, SeccompAction> & Partial<Record<Code, number>>> =>
  fc.tuple(fc.constantFrom(...actions), fc.option(fc.nat(4095), { nil: undefined })).map(([action, errno]) =>
    ({ [key]: action, ...(errno !== undefined && (action === 'SCMP_ACT_ERRNO' || action === 'SCMP_ACT_TRACE') ? { [code]: errno } : {}) }) as Record<Key, SeccompAction> & Partial<Record<Code, number>>) // as built here
const rule: fc.Arbitrary<LinuxSyscall> = fc.tuple(withErrno('action', 'errnoRet'), fc.array(name, { minLength: 1, maxLength: 5 }), fc.array(condition, { maxLength: 3 }))
  .map(([action, called, args]) => ({ ...action, names: called, args }))
const profile: fc.Arbitrary<LinuxSeccomp> = fc.tuple(withErrno('defaultAction', 'defaultErrnoRet'), fc.subarray(['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32', 'SCMP_ARCH_AARCH64']), fc.array(rule, { maxLength: 8 }))
  .map(([fallback, wanted, syscalls]) => ({ ...fallback, architectures: wanted, syscalls }))

/** The numbers that the profile names, their neighbours, and the ends of the ranges. */
function callsFor(filter: LinuxSeccomp): number[] {
  const named = architectures.flatMap(architecture => (filter.syscalls ?? []).flatMap(one => one.names.map(called => numbersOf(architecture).get(called) ?? 0)))
  return [...new Set([...named.flatMap(nr => [nr - 1, nr, nr + 1]), 0, 102, 117, 461, 5_000, X32_SYSCALL_BIT - 1, X32_SYSCALL_BIT, X32_SYSCALL_BIT + 600, 2 ** 31, -1])]
}

function judge(filter: LinuxSeccomp, args: readonly bigint[]): void {
  const { program } = compileFilter(filter, () => undefined)
  for (const nr of callsFor(filter)) {
    for (const arch of [AUDIT_ARCH_X86_64, AUDIT_ARCH_I386, foreign]) {
      const call = { nr, arch, args }
      const [ran, read] = [runFilter(program, call), interpret(filter, call)]
      if (ran !== read) expect(`${nr} of ${arch.toString(16)} (${args.join()}): 0x${ran.toString(16)}`).toBe(`${nr} of ${arch.toString(16)} (${args.join()}): 0x${read.toString(16)}`)
    }
  }
}

const word = fc.oneof(edge.map(BigInt), fc.bigInt(0n, 2n ** 64n - 1n))

describe('a compiled seccomp filter', () => {
  it('answers every call as the profile reads', () => {
    fc.assert(fc.property(profile, fc.tuple(word, word, word, word, word, word), judge), settings)
  })

  it.each(corpus('seccomp'))('is judged: $why', ({ json }) => {
    const values = [0n, 1n, 16n, 2n ** 32n, 2n ** 32n + 1n, 2n ** 64n - 1n]
    for (const first of values) for (const second of values) judge(json as LinuxSeccomp, [first, second, 0n, 0n, 0n, 0n]) // the file is ours
  })
})
