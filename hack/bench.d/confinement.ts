/** What shutting VMM and daemons in costs at start-up: the same build in the same run, with and without it in turn. */
import { rmSync, writeFileSync } from 'node:fs'
import type { Stack } from '../../test/e2e/stack.ts'
import { runTrue } from './client-times.ts'
import type { Table } from './table.ts'
import { logLength, readTimelines } from './timeline.ts'

/** Where the shim is with its start once the daemons and the VMM run, and once that answers; then the client's whole time. */
const phases = ['vmm', 'qmp'] as const

interface Times {
  run: number[]
  phases: Record<typeof phases[number], number[]>
}

/** Adds the figures of `count` starts each way. */
export async function confinementFigures(stack: Stack, table: Table, count: number): Promise<void> {
  const ways = [true, false].map((confined) => ({ confined, times: { run: [], phases: { vmm: [], qmp: [] } } as Times }))
  // The first start of either way finds nothing of it in a cache.
  for (let sample = 0; sample <= count; sample++) {
    for (const { confined, times } of ways) {
      const taken = await startOnce(stack, confined)
      if (sample === 0) continue
      times.run.push(...taken.run)
      for (const phase of phases) times.phases[phase].push(...taken.phases[phase])
    }
  }
  for (const { confined, times } of ways) {
    const how = `hypervisor.confinement = ${confined}`
    table.add(`${how}: ctr run --rm … true`, 'ms', { 'kata-ts': times.run })
    for (const phase of phases) table.add(`  timeline: exec → ${phase}`, 'ms', { 'kata-ts': times.phases[phase] })
  }
}

async function startOnce(stack: Stack, confined: boolean): Promise<Times> {
  const layer = `${stack.directory}/kata-ts/config.d/90-bench-confinement.toml`
  const since = logLength(stack)
  writeFileSync(layer, `[hypervisor]\nconfinement = ${confined}\n`)
  try {
    const run = await runTrue(stack, 'kata-ts')
    const timeline = readTimelines(stack, since)
    const missing = phases.filter((phase) => timeline[phase] === undefined)
    if (missing.length > 0) throw new Error(`the shim's timeline has no ${missing.join(', ')}: ${Object.keys(timeline).join(' ')}`)
    return { run: [run], phases: { vmm: timeline['vmm'] ?? [], qmp: timeline['qmp'] ?? [] } }
  } finally { rmSync(layer, { force: true }) }
}
