/** A whole container of the OCI command line: `run` of `true`, from exec to exit, beside runc and crun. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { Bundle } from '../../test/oci/bundle.ts'
import { runtimes, type RuntimeName } from '../../test/oci/runtimes.ts'

/** Before each start: the host is to be idle, and after a container the kernel takes its network namespace down for a while. */
const restMs = 50

/** Milliseconds, samples of the runtimes alternating, so that a burst of load meets all of them. */
export async function ociStart(samples: number): Promise<Record<RuntimeName, number[]>> {
  const found: Record<RuntimeName, number[]> = { 'kata-ts': [], 'runc': [], 'crun': [] }
  const stateRoot = mkdtempSync('/dev/shm/kata-ts-bench-')
  try {
    for (let sample = 0; sample < samples; sample++) {
      for (const runtime of runtimes) {
        await using bundle = new Bundle(runtime, ['true'])
        await setTimeout(restMs)
        const [program = '', ...first] = runtime.command
        found[runtime.name].push(wallTime([program, ...first, '--root', stateRoot, 'run', '--bundle', bundle.directory, bundle.id]))
      }
    }
    return found
  } finally {
    rmSync(stateRoot, { recursive: true, force: true })
  }
}

/** Milliseconds from fork to the end of a command. A shell times it: Node takes a millisecond to start anything. */
function wallTime(command: readonly string[]): number {
  const timed = 'from=$EPOCHREALTIME; "$@" >/dev/null || exit; to=$EPOCHREALTIME; echo $((${to/./} - ${from/./}))'
  const { status, stdout } = spawnSync('bash', ['-c', timed, 'bash', ...command], { stdio: ['ignore', 'pipe', 'inherit'], encoding: 'utf8' })
  if (status !== 0) throw new Error(`${command.join(' ')}: exit ${status}`)
  return Number(stdout) / 1000
}
