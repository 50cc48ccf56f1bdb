/** The phases of a start, as each shim logs them once: one JSON line in containerd's log. */
import { readFileSync, statSync } from 'node:fs'
import type { Stack } from '../../test/e2e/stack.ts'

/** How long the log is now, bytes: what an earlier benchmark left in it is not this one's. */
export function logLength(stack: Stack): number {
  return statSync(`${stack.directory}/containerd.log`).size
}

/** Milliseconds from the shim's exec to each phase, for the sandboxes that this benchmark started, in the log from `since` on. */
export function readTimelines(stack: Stack, since: number): Record<string, number[]> {
  const samples: Record<string, number[]> = {}
  for (const line of readFileSync(`${stack.directory}/containerd.log`).subarray(since).toString('utf8').split('\n')) {
    if (!line.includes('"msg":"timeline"') || !line.includes('"sandbox":"bench-')) continue
    const { phases } = JSON.parse(line.slice(line.indexOf('{'))) as { phases: Record<string, number> } // shim/timeline.ts
    for (const [phase, ms] of Object.entries(phases)) if (phase !== 'exec') (samples[phase] ??= []).push(ms)
  }
  return Object.fromEntries(Object.entries(samples).sort(([, a], [, b]) => Math.min(...a) - Math.min(...b)))
}
