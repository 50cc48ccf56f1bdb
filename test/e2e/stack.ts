/** A private containerd of hack/stack, as the tests use it. */
import { execFileSync, spawn } from 'node:child_process'
import { existsSync, readFileSync, readlinkSync } from 'node:fs'
import { ContainerdClient } from './containerd/client.ts'

export type ContainerdVersion = '1.6' | '2.1'

export const checkout = new URL('../..', import.meta.url).pathname.replace(/\/$/, '')
const stacks = process.env['KATA_TS_STACKS'] ?? `${checkout}/build/stack`
export const busybox = 'docker.io/library/busybox:latest'

export interface CommandResult { code: number | null; stdout: Buffer; stderr: string; text: string }
/** `inherit`: a descriptor that the command has as its number 3. */
export interface CommandOptions { stdin?: 'ignore' | Buffer; timeoutMs?: number; inherit?: number }

export class Stack {
  readonly directory: string
  readonly client: ContainerdClient
  private constructor(readonly version: ContainerdVersion) {
    this.directory = `${stacks}/${version}`
    this.client = new ContainerdClient(`${this.directory}/containerd.sock`, 'default')
  }

  static open(version: ContainerdVersion): Stack {
    const stack = new Stack(version)
    stack.up()
    return stack
  }

  /** Starts containerd if it does not run: also how a killed one is started again, beside its living shims. */
  up(): void {
    execFileSync(`${checkout}/hack/stack`, ['up', '--containerd', this.version], { stdio: ['ignore', 'ignore', 'pipe'] })
  }

  /** What a crash of containerd is: kill -9. Shims live on. */
  async killContainerd(): Promise<void> {
    const pid = this.containerdPid
    process.kill(pid, 'SIGKILL')
    while (isAlive(pid)) await new Promise((resolve) => setTimeout(resolve, 5))
    this.client.close() // its connections are dead; the next call makes new ones
  }

  static isUp(version: ContainerdVersion): boolean {
    try {
      return isAlive(Number(readFileSync(`${stacks}/${version}/containerd.pid`, 'utf8')))
    } catch { return false }
  }

  static down(version: ContainerdVersion): void {
    execFileSync(`${checkout}/hack/stack`, ['down', '--containerd', version], { stdio: 'inherit' })
  }

  get containerdPid(): number { return Number(readFileSync(`${this.directory}/containerd.pid`, 'utf8')) }
  get holderPid(): number { return Number(readFileSync(`${this.directory}/holder.pid`, 'utf8')) }

  /** A path of the stack's mount namespace (for example /run/kata-ts) as this process can open it. */
  inside(path: string): string { return `/proc/${this.holderPid}/root${path}` }

  /** Whether the pid runs in the stack's mount namespace or in one made from it: shims and what they start. */
  get mountNamespace(): string { return readlinkSync(`/proc/${this.holderPid}/ns/mnt`) }

  /** Runs ctr to its end. A ctr that outlives `timeoutMs` is killed and reported with code null. */
  ctr(args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
    return run(`${this.directory}/bin/ctr`, args, options)
  }
}

export function run(command: string, args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  const { stdin = 'ignore', timeoutMs = 60_000, inherit = 'ignore' } = options
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: [stdin === 'ignore' ? 'ignore' : 'pipe', 'pipe', 'pipe', inherit] })
    const out: Buffer[] = []
    const err: Buffer[] = []
    child.stdout?.on('data', (chunk: Buffer) => out.push(chunk))
    child.stderr?.on('data', (chunk: Buffer) => err.push(chunk))
    // KILL, because ctr passes TERM on to the container and then waits.
    const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs)
    child.on('error', reject)
    child.on('close', (code) => {
      clearTimeout(timer)
      const stdout = Buffer.concat(out)
      resolve({ code, stdout, stderr: Buffer.concat(err).toString(), text: stdout.toString() })
    })
    child.stdin?.on('error', () => undefined) // EPIPE, where the command ends before its input does
    if (stdin !== 'ignore') child.stdin?.end(stdin)
  })
}

/** A zombie counts as dead: nobody but its parent can end it. */
export function isAlive(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) [ZX]/s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch { return false }
}

/** Why kata-ts cannot run here, or undefined if it can. */
export function whyNoKataTs(): string | undefined {
  for (const path of ['bin/containerd-shim-kata-ts-v2', 'guest/vmlinux', 'guest/initrd.cpio']) {
    if (!existsSync(`${checkout}/build/${path}`)) return `build/${path} is missing: hack/build makes it`
  }
  return undefined
}
