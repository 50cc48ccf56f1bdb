/** Docker and nerdctl as clients of the private containerds: the same commands, but for a few words. */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { onTestFinished } from 'vitest'
import { isAlive, run } from '../e2e/stack.ts'
import type { CommandOptions, CommandResult } from '../e2e/stack.ts'

const checkout = new URL('../..', import.meta.url).pathname.replace(/\/$/, '')
const stacks = process.env['KATA_TS_STACKS'] ?? `${checkout}/build/stack`

let count = 0

export class Client {
  readonly directory: string
  constructor(readonly name: 'docker' | 'nerdctl', readonly containerd: '1.6' | '2.1') { this.directory = `${stacks}/${containerd}` }

  get isUp(): boolean {
    const pid = (daemon: string): number => existsSync(`${this.directory}/${daemon}.pid`) ? Number(readFileSync(`${this.directory}/${daemon}.pid`, 'utf8')) : 0
    return isAlive(pid('containerd')) && (this.name === 'nerdctl' || isAlive(pid('docker')))
  }
  up(): void { execFileSync(`${checkout}/hack/stack`, ['up', '--containerd', this.containerd, `--${this.name}`], { stdio: ['ignore', 'ignore', 'inherit'] }) }
  down(): void { execFileSync(`${checkout}/hack/stack`, ['down', '--containerd', this.containerd], { stdio: 'inherit' }) }

  /** Runs the client to its end, whatever that is. */
  try(args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> { return run(`${this.directory}/bin/${this.name}`, args, options) }

  /** Runs the client and returns what it printed, without the last newline; throws when it fails. */
  async call(...args: readonly string[]): Promise<string> {
    const { code, text, stderr } = await this.try(args)
    if (code !== 0) throw new Error(`${this.name} ${args.join(' ')}: exit ${code}\n${text}${stderr}`)
    return text.replace(/\n$/, '')
  }

  /** A detached container that is removed when the test ends; returns its name. */
  async detached(runtime: string, flags: readonly string[], ...command: readonly string[]): Promise<string> {
    const name = `client-${process.pid}-${++count}`
    onTestFinished(async () => { await this.try(['rm', '-f', name]) })
    await this.call('run', '-d', '--name', name, '--runtime', runtime, ...flags, 'busybox', ...command)
    return name
  }

  /** Runs a program in the network namespace of the stack, as its host would. */
  async host(command: string, ...args: readonly string[]): Promise<string> {
    const holder = readFileSync(`${this.directory}/holder.pid`, 'utf8').trim()
    return (await run('nsenter', ['--target', holder, '--net', '--', command, ...args])).text
  }
}

export interface Lane { client: Client; title: string; runtime: string; inGuest: boolean }

const docker = new Client('docker', '1.6')
const laterDocker = new Client('docker', '2.1')
const nerdctl = new Client('nerdctl', '2.1')
export const clients: readonly Client[] = [docker, laterDocker, nerdctl]

/** runc first, the control. Docker 20.10 takes an OCI command line only: there kata-ts makes containers without a VM. */
export const lanes: readonly Lane[] = [
  { client: docker, title: 'docker 20.10, runc', runtime: 'runc', inGuest: false },
  { client: docker, title: 'docker 20.10, kata-ts as OCI command line', runtime: 'kata-ts', inGuest: false },
  { client: laterDocker, title: 'docker 28.5, runc', runtime: 'io.containerd.runc.v2', inGuest: false },
  { client: laterDocker, title: 'docker 28.5, kata-ts', runtime: 'io.containerd.kata-ts.v2', inGuest: true },
  { client: nerdctl, title: 'nerdctl 1.7, runc', runtime: 'io.containerd.runc.v2', inGuest: false },
  { client: nerdctl, title: 'nerdctl 1.7, kata-ts', runtime: 'io.containerd.kata-ts.v2', inGuest: true },
]
