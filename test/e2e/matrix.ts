/**
 * Every case runs on each containerd with each runtime. runc is the control: a case that fails there is wrong itself.
 *
 *   KATA_TS_E2E_CONTAINERD=2.1   only this containerd
 *   KATA_TS_E2E_RUNTIME=kata-ts  only this runtime
 */
import { describe, it } from 'vitest'
import { whyNoKataTs } from './stack.ts'
import type { ContainerdVersion } from './stack.ts'

export type Runtime = 'runc' | 'kata-ts'
export interface Lane { containerd: ContainerdVersion; runtime: Runtime; runtimeName: string }

const versions: readonly ContainerdVersion[] = ['2.1', '1.6']
const runtimes: readonly Runtime[] = ['runc', 'kata-ts']

function chosen<Value extends string>(variable: string, all: readonly Value[]): Value[] {
  const wanted = process.env[variable]
  if (wanted === undefined || wanted === '') return [...all]
  const names = wanted.split(',')
  const unknown = names.find((name) => !all.some((value) => value === name))
  if (unknown !== undefined) throw new Error(`${variable}: no ${unknown}; known: ${all.join(', ')}`)
  return all.filter((value) => names.includes(value))
}

export const chosenVersions = (): ContainerdVersion[] => chosen('KATA_TS_E2E_CONTAINERD', versions)

/**
 * On a loaded machine runc's shim now and then loses the output of a process that ends before ctr reads (seen on both containerds). The control says that a case is right, not how runc fares under load: it gets more tries.
 * kata-ts never does.
 */
const tries: Readonly<Record<Runtime, number>> = { 'runc': 3, 'kata-ts': 1 }

/** Declares `cases` once for each lane; `only` leaves out runtimes that the cases have no meaning for, with the reason. */
export function forEachLane(
  subject: string, cases: (lane: Lane) => void, only?: { runtime: Runtime; reason: string },
): void {
  if (only !== undefined && !chosen('KATA_TS_E2E_RUNTIME', runtimes).includes(only.runtime)) {
    describe(subject, () => { it.skip(`only for ${only.runtime}: ${only.reason}`) })
    return
  }
  for (const containerd of chosenVersions()) {
    for (const runtime of chosen('KATA_TS_E2E_RUNTIME', runtimes)) {
      if (only !== undefined && only.runtime !== runtime) continue
      const missing = runtime === 'kata-ts' ? whyNoKataTs() : undefined
      const title = `${subject}: ${runtime} on containerd ${containerd}`
      if (missing !== undefined) console.warn(`skipped: ${title}: ${missing}`)
      describe.skipIf(missing !== undefined)(missing === undefined ? title : `${title} (skipped: ${missing})`, { retry: tries[runtime] - 1 }, () =>
        cases({ containerd, runtime, runtimeName: `io.containerd.${runtime}.v2` }))
    }
  }
}
