import { AUDIT_ARCH_I386 } from '../../../native/ts/constants/seccomp.ts'
import type { LinuxSeccomp, LinuxSeccompArg } from '../../../protocol/oci/seccomp.ts'
import { returnOf } from './actions.ts'
import { type Architecture, multiplexed, numbersOf } from './architectures.ts'

/** Conditions that must all hold, and what the filter then returns. */
export interface Rule {
  conditions: readonly LinuxSeccompArg[]
  returns: number
}

/**
 * The rules of one architecture by call number, as libseccomp keeps them: a rule without conditions stands above
 * all that have some; among several of a kind the first in the profile counts. Names that the architecture does not
 * have, and rules that return what the default returns anyway, are left out.
 */
export function rulesByNumber(filter: LinuxSeccomp, architecture: Architecture, defaultReturn: number): Map<number, Rule[]> {
  const numbers = numbersOf(architecture)
  const rules = new Map<number, Rule[]>()
  for (const { names, action, errnoRet, args } of filter.syscalls ?? []) {
    const returns = returnOf(action, errnoRet)
    if (returns === defaultReturn) continue
    for (const name of names) {
      for (const conditions of alternatives(args ?? [])) {
        const number = numbers.get(name)
        if (number !== undefined) add(rules, number, { conditions, returns })
        addMultiplexed(rules, numbers, architecture, name, { conditions, returns })
      }
    }
  }
  return rules
}

/** Several conditions on one argument are alternatives, each a rule of its own: so runc has always read a profile. */
function alternatives(args: readonly LinuxSeccompArg[]): LinuxSeccompArg[][] {
  const indexes = args.map(({ index }) => index)
  return new Set(indexes).size < indexes.length ? args.map(arg => [arg]) : [[...args]]
}

function add(rules: Map<number, Rule[]>, number: number, rule: Rule): void {
  const present = rules.get(number)
  if (!present) rules.set(number, [rule])
  else if (present[0]?.conditions.length === 0) return
  else if (rule.conditions.length === 0) rules.set(number, [rule])
  else present.push(rule)
}

function addMultiplexed(rules: Map<number, Rule[]>, numbers: ReadonlyMap<string, number>, architecture: Architecture, name: string, rule: Rule): void {
  const way = architecture.audit !== AUDIT_ARCH_I386 || !Object.hasOwn(multiplexed, name) ? undefined : multiplexed[name]
  const number = way && numbers.get(way.by)
  if (way === undefined || number === undefined) return
  // The call's own first argument lies in user memory, where no filter can look.
  const rest = rule.conditions.filter(({ index }) => index !== 0)
  add(rules, number, { ...rule, conditions: [{ index: 0, value: way.call, op: 'SCMP_CMP_EQ' }, ...rest] })
}

/** The highest number that the profile speaks of, whatever it says; undefined when it names no call of the architecture. */
export function highestNumber(filter: LinuxSeccomp, architecture: Architecture): number | undefined {
  const numbers = numbersOf(architecture)
  let highest: number | undefined
  for (const { names } of filter.syscalls ?? []) {
    for (const name of names) {
      const number = numbers.get(name)
      if (number !== undefined && number > (highest ?? -1)) highest = number
    }
  }
  return highest
}
