/** A whole container of the OCI command line: `run` of `true`, from exec to exit, beside runc and crun. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Bundle } from '../../test/oci/bundle.ts'
import { runtimes, type RuntimeName } from '../../test/oci/runtimes.ts'

/** Milliseconds, samples of the runtimes alternating, so that a burst of load meets all of them. */
export async function ociStart(samples: number): Promise<Record<RuntimeName, number[]>> {
  const found: Record<RuntimeName, number[]> = { 'kata-ts': [], 'runc': [], 'crun': [] }
  const stateRoot = mkdtempSync(join(tmpdir(), 'kata-ts-bench-'))
  try {
    for (let sample = 0; sample < samples; sample++) {
      for (const runtime of runtimes) {
        await using bundle = new Bundle(runtime, ['true'])
        const [program = '', ...first] = runtime.command
        const started = performance.now()
        const { status } = spawnSync(program, [...first, '--root', stateRoot, 'run', '--bundle', bundle.directory, bundle.id], { stdio: ['ignore', 'ignore', 'inherit'] })
        if (status !== 0) throw new Error(`${runtime.name} run: exit ${status}`)
        found[runtime.name].push(performance.now() - started)
      }
    }
    return found
  } finally {
    rmSync(stateRoot, { recursive: true, force: true })
  }
}
