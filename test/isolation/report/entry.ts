/** One line of the result: a case in one column. What the reporter, the JSON file and JUnit are made from. */
import type { Family, Reach } from '../attack.ts'

export interface Entry {
  id: string
  title: string
  family: Family
  leak: string
  bound: Reach
  /** `control`, or a runtime. */
  column: string
  weak: boolean
  /** `none`: there is nothing to see here, for the reason that is the evidence. `error`: the case itself broke. */
  reach: Reach | 'none' | 'error'
  evidence: string
}

/** With what the test runner thought of it. */
export interface JudgedEntry extends Entry {
  state: 'passed' | 'failed' | 'skipped'
  failure?: string
}

/** In the order in which the keys come first. */
export function grouped(entries: readonly JudgedEntry[], key: 'id' | 'column'): Map<string, JudgedEntry[]> {
  const groups = new Map<string, JudgedEntry[]>()
  for (const entry of entries) groups.set(entry[key], [...groups.get(entry[key]) ?? [], entry])
  return groups
}
