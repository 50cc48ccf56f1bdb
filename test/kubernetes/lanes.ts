/**
 * Every case runs with runc first, the control, and then with kata-ts.
 *
 *   KATA_TS_KUBERNETES_RUNTIME=kata-ts   only this runtime
 *   KATA_TS_KUBERNETES_PATIENCE=60       seconds that a pod may take to come to a state (180)
 */
import { describe, it } from 'vitest'
import { Cluster } from './cluster.ts'

export type Runtime = 'runc' | 'kata-ts'
const runtimes: readonly Runtime[] = ['runc', 'kata-ts']

function chosen(): readonly Runtime[] {
  const wanted = process.env['KATA_TS_KUBERNETES_RUNTIME']
  if (wanted === undefined || wanted === '') return runtimes
  const found = runtimes.filter((runtime) => runtime === wanted)
  if (found.length === 0) throw new Error(`KATA_TS_KUBERNETES_RUNTIME: no ${wanted}; known: ${runtimes.join(', ')}`)
  return found
}

export interface Case {
  readonly name: string
  readonly run: (cluster: Cluster, runtime: Runtime) => Promise<void>
  /** Where the case has no meaning, and why. */
  readonly not?: Partial<Record<Runtime, string>>
}

/** Declares the table once for each runtime. */
export function forEachRuntime(subject: string, cases: readonly Case[]): void {
  for (const runtime of chosen()) {
    describe(`${subject}: ${runtime}`, () => {
      const cluster = new Cluster()
      for (const { name, run, not } of cases) {
        const reason = not?.[runtime]
        if (reason === undefined) it(name, () => run(cluster, runtime))
        else it.skip(`${name} (${reason})`)
      }
    })
  }
}
