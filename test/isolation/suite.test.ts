/** Every case: first against its control, where it must get through, then against each runtime. report/reporter.ts prints the table. */
import { existsSync, readdirSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { TestContext } from 'vitest'
import { controlRuntime, families, isControl, within } from './attack.ts'
import type { Attack, Verdict } from './attack.ts'
import { openHost } from './containerd-host.ts'
import type { AttackedHost } from './containerd-host.ts'
import { oneLine } from './one-line.ts'
import { chosenCases, chosenRuntimes, withLong } from './options.ts'
import type { Entry } from './report/entry.ts'
import { Site } from './site.ts'

async function load(): Promise<Attack[]> {
  const files = families.flatMap((family) => {
    const folder = `${import.meta.dirname}/cases/${family}`
    return (existsSync(folder) ? readdirSync(folder) : []).filter((name) => name.endsWith('.ts')).sort().map((name) => `${folder}/${name}`)
  })
  const attacks = await Promise.all(files.map(async (file) => ((await import(file)) as { attack: Attack }).attack)) // each file exports its case by this name
  const chosen = chosenCases()
  const unknown = chosen.find((id) => !attacks.some((attack) => attack.id === id))
  if (unknown !== undefined) throw new Error(`--case ${unknown}: there is none; the cases are ${attacks.map((attack) => attack.id).join(' ')}`)
  return chosen.length > 0 ? attacks.filter((attack) => chosen.includes(attack.id)) : attacks
}

let host: AttackedHost
beforeAll(async () => { host = await openHost() })
afterAll(() => host.close())

/** Hands a line of the table to the reporter; it stands there whether or not the judgement below it holds. */
function note(context: TestContext, entry: Entry): void {
  Object.assign(context.task.meta, { isolation: entry })
}

for (const attack of await load()) {
  const { id, title, family, leak, bound, control } = attack
  const row = { id, title, family, leak, bound }

  describe(`${id} ${title}`, () => {
    const run = async (context: TestContext, column: Entry['column'], weak: boolean, act: () => Promise<Verdict>): Promise<Verdict> => {
      try {
        const verdict = await act()
        const evidence = oneLine(verdict.evidence, 640)
        note(context, { ...row, column, weak, reach: verdict.reach, evidence })
        return verdict
      } catch (error) {
        note(context, { ...row, column, weak, reach: 'error', evidence: oneLine(String(error)) })
        throw error
      }
    }

    if ('none' in control) {
      it(`no control: ${control.none}`, (context) => note(context, { ...row, column: 'control', weak: false, reach: 'none', evidence: control.none }))
    } else {
      it(`gets through: ${control.weak}`, async (context) => {
        skipLong(context)
        const unavailable = control.unavailable?.(host)
        if (unavailable !== undefined) {
          note(context, { ...row, column: 'control', weak: true, reach: 'none', evidence: unavailable })
          return
        }
        const { reach, evidence } = await run(context, 'control', true, async () => {
          const verdict = await (control.run ?? attack.run)(new Site(host, control.runtime ?? controlRuntime, true))
          return { ...verdict, evidence: `${control.weak}: ${verdict.evidence}` }
        })
        expect(reach, `the case proves nothing: its weak control did not fall: ${evidence}`).toBe(control.reach ?? 'host')
      })
    }

    for (const runtime of chosenRuntimes()) {
      it(`is contained: ${runtime}`, async (context) => {
        skipLong(context)
        const reason = attack.notFor?.(runtime)
        if (reason !== undefined) {
          note(context, { ...row, column: runtime, weak: false, reach: 'none', evidence: reason })
          return
        }
        const accepted = attack.accepted?.(runtime)
        const { reach, evidence } = await run(context, runtime, false, async () => {
          const verdict = await attack.run(new Site(host, runtime, false))
          return within(verdict.reach, bound) || accepted === undefined ? verdict : { ...verdict, evidence: `${verdict.evidence} (accepted: ${accepted})` }
        })
        // A shared kernel's column says what it is; only runtimes that claim a kernel of their own are held to the bound.
        if (!isControl(runtime) && accepted === undefined) expect(within(reach, bound), `got to the ${reach}, may get to the ${bound}: ${evidence}`).toBe(true)
      })
    }

    const skipLong = (context: TestContext): void => {
      if (attack.long && !withLong()) context.skip('takes long: only with --long')
    }
  })
}
