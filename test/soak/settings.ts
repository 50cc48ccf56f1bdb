/**
 * What the lane is told by its environment:
 *
 *   KATA_TS_SOAK_SECONDS=600      how long to begin new rounds (default an hour)
 *   KATA_TS_SOAK_SEED=123         repeats what was chosen at random (default: by the clock; printed)
 *   KATA_TS_SOAK_ROUND=17         only this round of the seed
 *   KATA_TS_SOAK_CONTAINERD=1.6   default 2.1
 */
import type { ContainerdVersion } from '../e2e/stack.ts'

const number = (name: string): number | undefined => {
  const text = process.env[name]
  if (text === undefined || text === '') return undefined
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 0) throw new Error(`${name} is ${JSON.stringify(text)}, not a number`)
  return value
}

export const soakSeconds = number('KATA_TS_SOAK_SECONDS') ?? 3600
export const soakSeed = number('KATA_TS_SOAK_SEED') ?? Date.now() % 1_000_000
export const onlyRound = number('KATA_TS_SOAK_ROUND')

export function soakContainerd(): ContainerdVersion {
  const wanted = process.env['KATA_TS_SOAK_CONTAINERD'] ?? '2.1'
  if (wanted !== '2.1' && wanted !== '1.6') throw new Error(`KATA_TS_SOAK_CONTAINERD is ${wanted}: 2.1 or 1.6`)
  return wanted
}
