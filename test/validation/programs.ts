/** The OCI project's validation programs (runtime-tools) as a table: what each said of a runtime, by assertion. */
import { execFile, execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { homedir, release } from 'node:os'
import { join } from 'node:path'
import { readTap, type Assertions } from './tap.ts'

const checkout = new URL('../..', import.meta.url).pathname.replace(/\/$/, '')
const results = `${checkout}/build/test/validation`
const cache = process.env['KATA_TS_CACHE'] ?? `${homedir()}/.cache/kata-ts`

/** A program that hangs is a failure like any other. */
const limitMs = 120_000

/** These wait ten seconds and more for a state that does not come: they run beside the others. */
const waiting = ['delete', 'kill', 'pidfile']

export interface ProgramResult {
  /** 0 also where an assertion failed: most programs end so. */
  status: number
  assertions: Assertions
  stderr: string
  /** Lines of mountinfo: mounts below the bundles that were there when the program had ended. */
  mounts: string[]
}

export type Results = Record<string, ProgramResult>

/** Builds the programs, and gives the directory that holds them. */
export function buildPrograms(): string {
  return execFileSync(`${checkout}/hack/validation`, ['--directory'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }).trim()
}

/** Runs every program with `runtime` (a path). */
export async function runPrograms(directory: string, name: string, runtime: string): Promise<Results> {
  const names = readdirSync(`${directory}/programs`).sort()
  mkdirSync(`${results}/${name}`, { recursive: true })
  const scratch = mkdtempSync(join(results, `${name}-bundles-`))
  const found: Results = {}
  const run = async (program: string): Promise<void> => { found[program] = await runProgram(directory, program, runtime, scratch, `${results}/${name}/${program}.tap`) }
  try {
    const beside = Promise.all(waiting.filter(program => names.includes(program)).map(run))
    // One after the other: several of them use the same cgroup.
    for (const program of names.filter(each => !waiting.includes(each))) await run(program)
    await beside
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
  return found
}

/** In a mount namespace of its own: runc leaves the mounts of a container that has none. */
const apart = ['-m', 'sh', '-c', '"$1"; status=$?; grep -F "$TMPDIR" /proc/self/mountinfo >"$2"; exit $status', 'sh']

function runProgram(directory: string, program: string, runtime: string, scratch: string, report: string): Promise<ProgramResult> {
  // TMPDIR: most programs leave their bundles behind.
  const options = { cwd: directory, env: { ...process.env, RUNTIME: runtime, TMPDIR: scratch }, timeout: limitMs, killSignal: 'SIGKILL' as const, maxBuffer: 64 * 1024 * 1024 }
  return new Promise(resolve => {
    const mounts = report.replace(/tap$/, 'mounts')
    execFile('unshare', [...apart, `${directory}/programs/${program}`, mounts], options, (error, stdout, stderr) => {
      writeFileSync(report, stdout + stderr.replace(/^/gm, '# stderr: '))
      const left = existsSync(mounts) ? readFileSync(mounts, 'utf8').split('\n').filter(Boolean) : []
      resolve({ status: error ? typeof error.code === 'number' ? error.code : 128 : 0, assertions: readTap(stdout), stderr, mounts: left })
    })
  })
}

/** As runPrograms with runc, kept in the cache by what it was made from: runc does not depend on this checkout. */
export async function runControl(directory: string): Promise<Results> {
  const runc = execFileSync('sh', ['-c', 'command -v runc'], { encoding: 'utf8' }).trim()
  const madeFrom = [directory, execFileSync(runc, ['--version']), release(), readFileSync(import.meta.filename), readFileSync(`${import.meta.dirname}/tap.ts`), capabilityBounds()]
  const key = createHash('sha256').update(madeFrom.join('\n')).digest('hex').slice(0, 16)
  const kept = `${cache}/validation/runc-${key}.json`
  if (existsSync(kept)) return JSON.parse(readFileSync(kept, 'utf8')) as Results // written below
  const found = await runPrograms(directory, 'runc', runc)
  mkdirSync(`${cache}/validation`, { recursive: true })
  writeFileSync(kept, JSON.stringify(found))
  return found
}

/** What a container may have at most here: some assertions fail where the host has given a capability away. */
export function capabilityBounds(): bigint {
  return BigInt(`0x${/^CapBnd:\s*(\w+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0'}`)
}
