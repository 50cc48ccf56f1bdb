/** The runtimes that every case runs on. A case that our own fails, but no other passes, would prove nothing. */
import { spawnSync, type SpawnSyncReturns } from 'node:child_process'
import { existsSync } from 'node:fs'
import { describe, it } from 'vitest'

const top = new URL('../..', import.meta.url).pathname

export type RuntimeName = 'kata-ts' | 'runc' | 'crun'

export interface Runtime {
  name: RuntimeName
  /** Program and first arguments. */
  command: string[]
}

/** crun refuses cgroup v1 with a cgroup2 beside it (the hybrid layout): it gets a mount namespace without the latter. */
const withoutUnified = ['unshare', '-m', 'sh', '-c', 'umount /sys/fs/cgroup/unified 2>/dev/null; exec "$@"', 'sh']

const known: Runtime[] = [
  { name: 'kata-ts', command: [process.env.KATA_TS_OCI ?? `${top}build/bin/kata-ts`] },
  { name: 'runc', command: ['runc'] },
  { name: 'crun', command: [...withoutUnified, 'crun', '--cgroup-manager=cgroupfs'] },
]

/** Of $OCI_RUNTIMES (names with spaces between), else all. */
export const runtimes = known.filter(({ name }) => (process.env.OCI_RUNTIMES ?? 'kata-ts runc crun').split(/\s+/).includes(name))

export interface CaseOptions {
  /** Where the case is not run, and what that runtime does in its place. Never both foreign ones: see above. */
  except?: Partial<Record<'runc' | 'crun', string>>
  /** What the spec demands and neither of the Debian versions does yet: run on ours alone, and no conformance case. */
  alone?: string
}

export type Case = (name: string, run: (runtime: Runtime) => void | Promise<void>, options?: CaseOptions) => void

/** A group of cases, each run on every runtime. */
export function conformance(title: string, cases: (test: Case) => void): void {
  describe(title, () => {
    cases((name, run, options = {}) => {
      const { except = {} } = options
      if (except.runc && except.crun) throw new Error(`${name}: passes on no other runtime, so it is no conformance case`)
      for (const runtime of runtimes) {
        const why = runtime.name === 'kata-ts' ? undefined : options.alone ?? except[runtime.name]
        if (why) it.skip(`${name} [${runtime.name}: ${why}]`, () => undefined)
        else it(`${name} [${runtime.name}]`, () => run(runtime))
      }
    })
  })
}

export interface Ran {
  status: number
  stdout: string
  stderr: string
}

export function invoke(runtime: Runtime, stateRoot: string, args: readonly string[], input = ''): Ran {
  const [program = '', ...first] = runtime.command
  const done: SpawnSyncReturns<string> = spawnSync(program, [...first, '--root', stateRoot, ...args], { encoding: 'utf8', input, timeout: 15_000, killSignal: 'SIGKILL' })
  if (done.error) throw done.error
  return { status: done.status ?? 128, stdout: done.stdout, stderr: done.stderr }
}

const own = known[0]?.command[0] ?? ''
if (runtimes.some(({ name }) => name === 'kata-ts') && !existsSync(own)) throw new Error(`${own} is missing: hack/build-bin cli`)
