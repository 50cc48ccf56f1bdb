/** podman 4.3 with a runtime, as a user calls it (hack/podman). */
import { spawn, spawnSync } from 'node:child_process'
import { tmpdir } from 'node:os'

const checkout = new URL('../..', import.meta.url).pathname.replace(/\/$/, '')
export const podman = `${checkout}/hack/podman`

/** runc first, the control. */
export const runtimes = [['runc', 'runc'], ['kata-ts', `${checkout}/build/bin/kata-ts`]] as const

export interface Ran { status: number; stdout: string; stderr: string }

// conmon leaves a file `oom` in its working directory.
const options = { encoding: 'utf8', cwd: tmpdir(), timeout: 110_000, killSignal: 'SIGKILL' } as const

export function run(args: readonly string[], input = ''): Ran {
  const { status, stdout, stderr } = spawnSync(podman, args, { ...options, input })
  return { status: status ?? 128, stdout, stderr }
}

/** Runs podman and gives what it printed, without the last newline; throws when it fails. */
export function call(...args: readonly string[]): string {
  const { status, stdout, stderr } = run(args)
  if (status !== 0) throw new Error(`podman ${args.join(' ')}: exit ${status}\n${stdout}${stderr}`)
  return stdout.replace(/\n$/, '')
}

/** Runs podman on a terminal of its own (script(1)), types `typed` when `prompt` is to be seen, and gives what it showed. */
export async function onTerminal(args: readonly string[], prompt?: string, typed = ''): Promise<{ status: number; shown: string }> {
  const line = [podman, ...args].map(word => `'${word.replaceAll("'", "'\\''")}'`).join(' ')
  const child = spawn('script', ['-qec', line, '/dev/null'], { stdio: ['pipe', 'pipe', 'inherit'], cwd: tmpdir() })
  let shown = ''
  child.stdout.on('data', (chunk: Buffer) => {
    const before = shown
    shown += chunk.toString()
    if (prompt !== undefined && !before.includes(prompt) && shown.includes(prompt)) child.stdin.write(typed)
  })
  const status = await new Promise<number>(resolve => child.on('exit', code => resolve(code ?? 128)))
  return { status, shown: shown.replaceAll('\r', '') }
}

export async function eventually(what: string, look: () => boolean): Promise<void> {
  const end = Date.now() + 60_000
  while (!look()) {
    if (Date.now() > end) throw new Error(`${what}: waited 60 s in vain`)
    await new Promise(resolve => setTimeout(resolve, 100))
  }
}
