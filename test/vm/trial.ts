import { execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createInterface } from 'node:readline'

/** Builds test/vm/programs/<name>.ts as a binary of the engine; gives its path. */
export function build(name: string): string {
  mkdirSync('build/test/vm', { recursive: true })
  const path = `${process.cwd()}/build/test/vm/${name}`
  execFileSync('hack/build-bin', ['--bundle', `test/vm/programs/${name}.ts`, '-o', path], { stdio: ['ignore', 'ignore', 'inherit'] })
  return path
}

export interface Victim {
  /** Start of the process's name (comm), or `self` for the program that stands for the shim. */
  who: string
  /** The line of output that it is killed after; undefined: as soon as it exists. */
  after?: string
  delayMs?: number
}

export interface Trial {
  status: number | null
  lines: string[]
  /** Processes of the trial that are still there half a second after its end. */
  left: string[]
  /** What is in the state directory, the journal apart. */
  files: string[]
  stateDir: string
}

/** Runs `program` in a mount namespace of its own, with a state directory that is removed by the caller's `discard`. */
export async function run(program: string, args: readonly string[], victim?: Victim): Promise<Trial> {
  const stateDir = mkdtempSync('/run/kata-ts-vm-')
  const child = spawn('unshare', ['--mount', '--propagation', 'slave', program, stateDir, ...args], {
    cwd: '/', stdio: ['ignore', 'pipe', 'ignore'], env: { ...process.env, PATH: `${process.cwd()}/build/bin:${process.env.PATH ?? ''}` },
  })
  const pid = child.pid ?? 0
  const lines: string[] = []
  const seen = new Map<number, string>()
  const ended = new Promise<number | null>(resolve => child.on('close', resolve))
  const read = (async () => {
    for await (const line of createInterface({ input: child.stdout })) {
      lines.push(line)
      note(pid, seen)
      if (victim?.after !== undefined && line.startsWith(victim.after)) await strike(pid, victim, seen)
    }
  })()
  if (victim && victim.after === undefined) await strike(pid, victim, seen)
  const status = await ended
  await read
  await until(() => [...seen.keys()].every(gone), 500)
  return {
    status, lines, stateDir,
    left: [...seen].filter(([process]) => !gone(process)).map(([process, name]) => `${name} ${process}`),
    files: readdirSync(stateDir).filter(name => name !== 'journal'),
  }
}

export function discard(trial: Trial): void {
  rmSync(trial.stateDir, { recursive: true, force: true })
}

async function strike(pid: number, victim: Victim, seen: Map<number, string>): Promise<void> {
  const find = (): number | undefined => {
    note(pid, seen)
    return victim.who === 'self' ? pid : [...seen].find(([, name]) => name.startsWith(victim.who))?.[0]
  }
  await until(() => find() !== undefined, 5000)
  await new Promise(resolve => setTimeout(resolve, victim.delayMs ?? 0))
  const target = find()
  if (target !== undefined && !gone(target)) process.kill(target, 'SIGKILL')
}

/** Notes the descendants of `pid` with their names. */
function note(pid: number, seen: Map<number, string>): void {
  for (const child of read(`/proc/${pid}/task/${pid}/children`).split(' ').filter(word => word.trim() !== '').map(Number)) {
    const name = read(`/proc/${child}/comm`).trim()
    // Between clone and execve a child still has its parent's name.
    if (name !== '') seen.set(child, name)
    note(child, seen)
  }
}

function gone(pid: number): boolean {
  const stat = read(`/proc/${pid}/stat`)
  return stat === '' || ['Z', 'X'].includes(stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3))
}

function read(path: string): string {
  try {
    return existsSync(path) ? readFileSync(path, 'utf8') : ''
  } catch {
    return ''
  }
}

async function until(truth: () => boolean, limitMs: number): Promise<void> {
  const end = Date.now() + limitMs
  while (!truth() && Date.now() < end) await new Promise(resolve => setTimeout(resolve, 2))
}
