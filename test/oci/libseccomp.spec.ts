/** Our filters against libseccomp's: random profiles, compiled by both, run on every call of every architecture. */
import fc from 'fast-check'
import { execFileSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { architectures, numbersOf } from '../../agent/container/seccomp/architectures.ts'
import { compileFilter } from '../../agent/container/seccomp/compile.ts'
import { AUDIT_ARCH_I386, X32_SYSCALL_BIT } from '../../native/ts/constants/seccomp.ts'
import { runFilter } from '../../native/ts/testing/run-filter.ts'
import type { LinuxSyscall } from '../../protocol/oci/seccomp.ts'

const source = new URL('libseccomp.c', import.meta.url).pathname
const program = join(tmpdir(), `kata-ts-libseccomp-${process.pid}`)

beforeAll(() => { execFileSync('gcc', ['-Wall', '-o', program, source, '-lseccomp']) })
afterAll(() => rmSync(program, { force: true }))

/** In the order of enum scmp_compare, which begins at 1. */
const operators = ['SCMP_CMP_NE', 'SCMP_CMP_LT', 'SCMP_CMP_LE', 'SCMP_CMP_EQ', 'SCMP_CMP_GE', 'SCMP_CMP_GT', 'SCMP_CMP_MASKED_EQ'] as const

/** Names that Debian's libseccomp 2.5 knows: it is older than our table. */
const names = [...(architectures[0] ? numbersOf(architectures[0]) : [])].filter(([name, number]) => number < 440 && name !== 'uretprobe').map(([name]) => name)

const condition = fc.record({
  index: fc.nat(5), op: fc.constantFrom(...operators),
  value: fc.constantFrom(0, 1, 2, 40, 2 ** 32 - 1, 2 ** 32, 2 ** 33 + 5), valueTwo: fc.constantFrom(0, 1, 2),
})
const rule = fc.record({
  names: fc.uniqueArray(fc.constantFrom(...names), { minLength: 1, maxLength: 12 }),
  args: fc.uniqueArray(condition, { maxLength: 2, selector: ({ index }) => index }),
})
const argument = fc.constantFrom(0n, 1n, 2n, 3n, 18n, 40n, 0xffff_ffffn, 0x1_0000_0000n, 0x2_0000_0005n, -1n)

type Rule = { names: string[]; args: { index: number; op: (typeof operators)[number]; value: number; valueTwo: number }[] }

/** Each name in one rule only: of rules with conditions that overlap, libseccomp defines no order. */
function apart(rules: Rule[]): Rule[] {
  const seen = new Set<string>()
  return rules.map(one => ({ ...one, names: one.names.filter(name => !seen.has(name) && seen.add(name)) })).filter(one => one.names.length > 0)
}

function asText(rules: Rule[], permissive: boolean): string {
  const lines = rules.flatMap(({ names: named, args }) => named.map(name => {
    const conditions = args.map(({ index, op, value, valueTwo }) => `${index} ${operators.indexOf(op) + 1} ${value} ${op === 'SCMP_CMP_MASKED_EQ' ? valueTwo : 0}`)
    return `rule ${permissive ? '13' : 'ALLOW'} ${name} ${conditions.join(' ')}`
  }))
  return [`default ${permissive ? 'ALLOW' : '1'}`, ...lines].join('\n')
}

function asProfile(rules: Rule[], permissive: boolean): LinuxSyscall[] {
  return rules.map(one => ({ ...one, action: permissive ? 'SCMP_ACT_ERRNO' : 'SCMP_ACT_ALLOW', ...(permissive ? { errnoRet: 13 } : {}) }))
}

it('answers every call as libseccomp’s filter does', () => {
  let compared = 0
  fc.assert(fc.property(fc.boolean(), fc.array(rule, { minLength: 1, maxLength: 8 }), fc.array(argument, { minLength: 6, maxLength: 6 }), (permissive, drawn, args) => {
    const rules = apart(drawn)
    const theirs = new Uint8Array(execFileSync(program, { input: asText(rules, permissive) }))
    const ours = compileFilter({
      defaultAction: permissive ? 'SCMP_ACT_ALLOW' : 'SCMP_ACT_ERRNO', architectures: ['SCMP_ARCH_X86', 'SCMP_ARCH_X32'], syscalls: asProfile(rules, permissive),
    }, () => undefined).program
    for (const architecture of architectures) {
      const table = numbersOf(architecture)
      // What is younger than the profile gets ENOSYS from us and from runc, which libseccomp alone does not do.
      const youngest = Math.max(...rules.flatMap(one => one.names.map(name => table.get(name) ?? 0)))
      for (const [name, nr] of table) {
        if ((!permissive && nr > youngest) || (nr & ~X32_SYSCALL_BIT) > 450) continue
        const call = { nr, arch: architecture.audit, args: architecture.audit === AUDIT_ARCH_I386 ? args.map(arg => BigInt.asUintN(32, arg)) : args }
        if (runFilter(ours, call) !== runFilter(theirs, call)) expect({ name, architecture: architecture.name, answer: runFilter(ours, call) }).toEqual({ name, architecture: architecture.name, answer: runFilter(theirs, call) })
        compared++
      }
    }
  }), { numRuns: 150 })
  expect(compared).toBeGreaterThan(50_000)
}, 60_000)
