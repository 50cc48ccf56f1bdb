/** TAP (Test Anything Protocol), as tap-go writes it. */

/** By description; one that comes several times has several outcomes, in order. */
export type Assertions = Record<string, boolean[]>

/** Reads the assertions of a program's output; what stands between them (YAML, comments) is for people. */
export function readTap(text: string): Assertions {
  const found: Assertions = {}
  for (const line of text.split('\n')) {
    const [, not, description = ''] = /^(not )?ok \d+(?: - )?\s*(.*?)\s*$/.exec(line) ?? []
    if (!/^(not )?ok \d/.test(line)) continue
    ;(found[description] ??= []).push(not === undefined)
  }
  return found
}

export interface Count { passed: number; failed: number }

export function count(assertions: Assertions): Count {
  const outcomes = Object.values(assertions).flat()
  const passed = outcomes.filter(Boolean).length
  return { passed, failed: outcomes.length - passed }
}
