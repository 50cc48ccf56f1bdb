import { Fault } from '../../native/ts/fault.ts'

const unitsMs: Readonly<Record<string, number>> = { ns: 1e-6, us: 1e-3, 'µs': 1e-3, ms: 1, s: 1000, m: 60_000, h: 3_600_000 }

/** A duration as Go writes it (`1m30s`, `500ms`), in milliseconds. Throws Fault for anything else. */
export function durationMs(text: string): number {
  if (!/^(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+$/.test(text)) throw new Fault(`invalid duration ${JSON.stringify(text)}`, { fix: 'write it as 5s, 500ms or 1m30s' })
  let total = 0
  for (const [, value = '0', , unit = 's'] of text.matchAll(/(\d+(\.\d+)?)(ns|us|µs|ms|s|m|h)/g)) total += Number(value) * (unitsMs[unit] ?? 0)
  return total
}
