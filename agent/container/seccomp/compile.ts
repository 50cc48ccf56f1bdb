/**
 * Compiles the filter of an OCI spec to BPF, to the same effect as libseccomp with runc.
 *
 * The program: by audit architecture, then a binary search over call numbers whose leaves return, or test arguments
 * first. Numbers form ranges that return the same, so a profile of 350 names is some 100 leaves.
 */
import { Assembler, JEQ, JGE, Label } from '../../../native/ts/classic-bpf.ts'
import {
  SECCOMP_FILTER_FLAG_LOG, SECCOMP_FILTER_FLAG_NEW_LISTENER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, SECCOMP_FILTER_FLAG_TSYNC, SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
} from '../../../native/ts/constants/prctl.ts'
import { AUDIT_ARCH_I386, AUDIT_ARCH_X86_64, dataArch, dataNr, X32_SYSCALL_BIT } from '../../../native/ts/constants/seccomp.ts'
import { Fault } from '../../../native/ts/fault.ts'
import { type LinuxSeccomp, seccompArchitectures, type SeccompFlag } from '../../../protocol/oci/seccomp.ts'
import { errnoNoSys, killThread, permits, returnOf } from './actions.ts'
import { type Architecture, architectures } from './architectures.ts'
import { testRules } from './conditions.ts'
import type { CompiledFilter } from './filter.ts'
import { asksListener } from './asks.ts'
import { highestNumber, type Rule, rulesByNumber } from './rules.ts'

const highest = 0xffff_ffff

/** What a spec may ask for (config-linux.md#seccomp). */
export const filterFlags: Readonly<Record<SeccompFlag, number>> = {
  SECCOMP_FILTER_FLAG_TSYNC, SECCOMP_FILTER_FLAG_LOG, SECCOMP_FILTER_FLAG_SPEC_ALLOW, SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
}

/** Call numbers from `from` up to the next range's. */
interface Range {
  from: number
  outcome: number | { rules: readonly Rule[]; wide: boolean }
}

/** Throws Fault for what cannot be had: silently filtering less would be a hole. */
export function compileFilter(filter: LinuxSeccomp, warn: (message: string) => void): CompiledFilter {
  const asks = asksListener(filter)
  const flags = (filter.flags ?? []).reduce((bits, name) => {
    const bit = Object.hasOwn(filterFlags, name) ? filterFlags[name as SeccompFlag] : undefined // a key of it
    if (bit === undefined) throw new Fault(`linux.seccomp.flags: ${name} is not supported`)
    return bits | bit
  }, 0)
  // The machine's own architecture is in every filter, as with libseccomp; foreign ones can never be asked for.
  const wanted = new Set(['SCMP_ARCH_X86_64', ...filter.architectures ?? []])
  const asked = architectures.filter(({ name }) => wanted.has(name))
  warnOfUnknown(filter, warn)

  const program = new Assembler('linux.seccomp')
  program.load(dataArch)
  const i386 = asked.find(({ audit }) => audit === AUDIT_ARCH_I386)
  emitFor(program, AUDIT_ARCH_X86_64, ranges(filter, asked.filter(({ audit }) => audit === AUDIT_ARCH_X86_64)))
  if (i386) emitFor(program, AUDIT_ARCH_I386, ranges(filter, [i386]))
  program.ret(killThread)
  return { program: program.assemble(), flags: loadable(flags, asks), asks }
}

/**
 * The process has one thread, so nothing is lost by not asking for TSYNC, which a listener excludes; to wait killably
 * means something with a listener alone (seccomp(2)).
 */
function loadable(flags: number, asks: boolean): number {
  return asks ? (flags & ~SECCOMP_FILTER_FLAG_TSYNC) | SECCOMP_FILTER_FLAG_NEW_LISTENER : flags & ~SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
}

function emitFor(program: Assembler, audit: number, list: readonly Range[]): void {
  const [here, next] = [new Label(), new Label()]
  program.test(JEQ, audit, here, undefined)
  program.jump(next)
  program.put(here)
  program.load(dataNr)
  search(program, list)
  program.put(next)
}

/** A binary search: the half above is reached by an unconditional jump, whose reach is not limited to 255. */
function search(program: Assembler, list: readonly Range[]): void {
  const [only] = list
  if (list.length === 1 && only) {
    if (typeof only.outcome === 'number') program.ret(only.outcome)
    else testRules(program, only.outcome.rules, only.outcome.wide)
    return
  }
  const middle = list.length >> 1
  const [below, above] = [new Label(), new Label()]
  program.test(JGE, list[middle]?.from ?? 0, undefined, below)
  program.jump(above)
  program.put(below)
  search(program, list.slice(0, middle))
  program.put(above)
  search(program, list.slice(middle))
}

/** Every call number of one audit architecture, as ranges in order. */
function ranges(filter: LinuxSeccomp, group: readonly Architecture[]): Range[] {
  const defaultReturn = returnOf(filter.defaultAction, filter.defaultErrnoRet)
  const list: Range[] = []
  const push = (from: number, outcome: Range['outcome']) => {
    const last = list.at(-1)
    if (last?.from === from) last.outcome = outcome
    else if (last === undefined || last.outcome !== outcome) list.push({ from, outcome })
  }
  for (const architecture of group) {
    push(architecture.base, defaultReturn)
    const rules = [...rulesByNumber(filter, architecture, defaultReturn)].sort(([a], [b]) => a - b)
    for (const [number, found] of rules) {
      const [first] = found
      push(number, first && first.conditions.length === 0 ? first.returns : { rules: [...found, { conditions: [], returns: defaultReturn }], wide: architecture.wide })
      push(number + 1, defaultReturn)
    }
    const last = highestNumber(filter, architecture)
    // Calls younger than the profile: a C library that is told ENOSYS goes back to the older call, with EPERM it fails.
    if (last !== undefined && !permits(filter.defaultAction) && defaultReturn !== errnoNoSys) push(last + 1, errnoNoSys)
  }
  // Without x32 among the architectures its numbers are a foreign architecture's; -1 is what a tracer leaves to skip a call.
  if (group[0]?.audit === AUDIT_ARCH_X86_64 && group.length === 1) {
    const tail = list.at(-1)?.outcome ?? defaultReturn
    push(X32_SYSCALL_BIT, tail === errnoNoSys ? errnoNoSys : killThread)
    push(highest, tail)
  }
  return list
}

function warnOfUnknown(filter: LinuxSeccomp, warn: (message: string) => void): void {
  for (const name of filter.architectures ?? []) if (!seccompArchitectures.includes(name)) warn(`linux.seccomp.architectures: ${name} is unknown`)
}
