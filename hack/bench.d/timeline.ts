/** The phases of a start, as each shim logs them once: one JSON line in containerd's log. */
import { readFileSync } from 'node:fs'
import type { Stack } from '../../test/e2e/stack.ts'

/** Milliseconds from the shim's exec to each phase, for the sandboxes that this benchmark started. */
export function readTimelines(stack: Stack): Record<string, number[]> {
  const samples: Record<string, number[]> = {}
  for (const line of readFileSync(`${stack.directory}/containerd.log`, 'utf8').split('\n')) {
    if (!line.includes('"msg":"timeline"') || !line.includes('"sandbox":"bench-')) continue
    const { phases } = JSON.parse(line.slice(line.indexOf('{'))) as { phases: Record<string, number> } // shim/timeline.ts
    for (const [phase, ms] of Object.entries(phases)) if (phase !== 'exec') (samples[phase] ??= []).push(ms)
  }
  return Object.fromEntries(Object.entries(samples).sort(([, a], [, b]) => Math.min(...a) - Math.min(...b)))
}
