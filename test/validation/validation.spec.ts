/**
 * No assertion of the OCI project's validation programs that passes with runc fails with kata-ts, and what fails with kata-ts
 * has a reason (differences.ts). runc is the control: it runs the same programs on the same host.
 */
import { existsSync, writeFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { better, failures, races, type Reason } from './differences.ts'
import { buildPrograms, capabilityBounds, runControl, runPrograms, type Results } from './programs.ts'
import { count } from './tap.ts'

const checkout = new URL('../..', import.meta.url).pathname.replace(/\/$/, '')
const directory = buildPrograms()
const control = await runControl(directory)
const ours = await runPrograms(directory, 'kata-ts', `${checkout}/build/bin/kata-ts`)
const programs = Object.keys(control)

const totals = (results: Results) => Object.values(results).map(({ assertions }) => count(assertions))
  .reduce((sum, { passed, failed }) => ({ passed: sum.passed + passed, failed: sum.failed + failed }), { passed: 0, failed: 0 })
console.log(`OCI validation, ${programs.length} programs: runc ${JSON.stringify(totals(control))}; kata-ts ${JSON.stringify(totals(ours))}`)

/** CAP_SYS_RESOURCE, include/uapi/linux/capability.h. */
const hasResource = (capabilityBounds() >> 24n & 1n) === 1n
const hasV1 = existsSync('/sys/fs/cgroup/memory/memory.limit_in_bytes')
const here = ({ where }: Reason) => where === undefined || (where === 'cgroup v1' ? hasV1 : !hasResource)

const isRace = (what: string) => races.some(race => race.what === what)

/** Every assertion with a failure, and every program that ended with an error, of one runtime. */
function failing(results: Results): string[] {
  return Object.entries(results).flatMap(([program, { status, assertions }]) => [
    ...Object.entries(assertions).filter(([, outcomes]) => outcomes.includes(false)).map(([description]) => `${program}: ${description}`),
    ...status !== 0 ? [program] : [],
  ])
}

describe('the OCI validation programs', () => {
  it.each(programs)('%s: what passes with runc passes', program => {
    const lost = Object.entries(control[program]?.assertions ?? {}).filter(([description, outcomes]) =>
      !isRace(`${program}: ${description}`) && outcomes.some((passed, index) => passed && ours[program]?.assertions[description]?.[index] !== true))
    expect(lost.map(([description]) => description), ours[program]?.stderr).toEqual([])
    if (control[program]?.status === 0) expect(ours[program]?.status, ours[program]?.stderr).toBe(0)
  })

  it('fail with kata-ts for a known reason only, and for each of those', () => {
    const known = failures.filter(here).map(({ what }) => what)
    const found = failing(ours).filter(what => !isRace(what))
    expect(found.filter(what => !known.includes(what)), 'failures without a reason in differences.ts').toEqual([])
    expect(known.filter(what => !found.includes(what)), 'passes: take it off the list of differences.ts').toEqual([])
  })

  it.each(better.filter(here).map(({ what, why }) => [what, why]))('pass with kata-ts and not with runc: %s (%s)', what => {
    expect(passes(what)).toBe(true)
    expect(failing(control)).toContain(what)
  })

  it('leave no mount behind', () => {
    expect(Object.values(ours).flatMap(({ mounts }) => mounts)).toEqual([])
  })
})

function passes(what: string): boolean {
  const [program = '', ...description] = what.split(': ')
  return ours[program]?.assertions[description.join(': ')]?.every(Boolean) ?? false
}

/** The table that README gives. */
writeFileSync(`${checkout}/build/test/validation/differences.md`, [
  '| fails with kata-ts, and never passes with runc | why |', '|---|---|', ...[...failures, ...races].map(({ what, why }) => `| \`${what}\` | ${why} |`), '',
  '| fails with runc 1.1, passes with kata-ts | |', '|---|---|', ...better.map(({ what, why }) => `| \`${what}\` | ${why} |`), '',
].join('\n'))
