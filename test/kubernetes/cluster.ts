/** The cluster of `hack/stack up --kubernetes`, spoken to with kubectl, as its users do. */
import { execFileSync, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { isAlive, run as runCommand } from '../e2e/stack.ts'

export const checkout = new URL('../..', import.meta.url).pathname.replace(/\/$/, '')
const containerd = process.env['KATA_TS_KUBERNETES_CONTAINERD'] ?? '2.1'

export interface Outcome { code: number | null; stdout: string; stderr: string }
export interface CommandOptions { stdin?: string | Buffer; timeoutMs?: number }
export type Manifest = Readonly<Record<string, unknown>>

export class Cluster {
  readonly directory = `${process.env['KATA_TS_STACKS'] ?? `${checkout}/build/stack`}/${containerd}`

  static up(): void { execFileSync(`${checkout}/hack/stack`, ['up', '--kubernetes', '--containerd', containerd], { stdio: ['ignore', 'ignore', 'inherit'] }) }
  static down(): void { execFileSync(`${checkout}/hack/stack`, ['down', '--containerd', containerd], { stdio: 'inherit' }) }
  static isUp(): boolean { return isAlive(new Cluster().pid('kubelet')) }

  /** The pid of a daemon of the stack: containerd, kubelet, kube-apiserver, … ; 0 where it does not run. */
  pid(daemon: string): number {
    const path = `${this.directory}/${daemon === 'containerd' || daemon === 'holder' ? '' : 'kubernetes/'}${daemon}.pid`
    return existsSync(path) ? Number(readFileSync(path, 'utf8')) : 0
  }

  /** Runs kubectl to its end, whatever that is. */
  try(args: readonly string[], options: CommandOptions = {}): Promise<Outcome> {
    return run(`${this.directory}/bin/kubectl`, args, options)
  }

  /** Runs kubectl and returns what it printed; throws with its errors when it fails. */
  async kubectl(...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.try(args)
    if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: exit ${code}\n${stdout}${stderr}`)
    return stdout
  }

  /** Starts kubectl for something that lasts: port-forward, attach, logs -f. */
  start(args: readonly string[]): ChildProcess {
    return spawn(`${this.directory}/bin/kubectl`, args, { stdio: ['pipe', 'pipe', 'pipe'] })
  }

  async apply(...manifests: readonly Manifest[]): Promise<void> {
    const stdin = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: manifests })
    const { code, stderr } = await this.try(['apply', '-f', '-'], { stdin })
    if (code !== 0) throw new Error(`kubectl apply: ${stderr}`)
  }

  /** A field of an object, by kubectl's JSONPath: field('pod/x', '.status.phase'). Lists come space-separated. */
  field(object: string, path: string): Promise<string> { return this.kubectl('get', object, '-o', `jsonpath={${path}}`) }

  /** Runs a command in the node's network and mount namespaces, as an administrator of the node would. */
  node(command: string, ...args: readonly string[]): Promise<Outcome> {
    return run('nsenter', ['--target', String(this.pid('holder')), '--mount', '--net', '--', command, ...args])
  }
}

/** Runs a command to its end; killed, with code null, after `timeoutMs`. */
export async function run(command: string, args: readonly string[], { stdin, timeoutMs = 240_000 }: CommandOptions = {}): Promise<Outcome> {
  const { code, text, stderr } = await runCommand(command, args, { stdin: typeof stdin === 'string' ? Buffer.from(stdin) : stdin ?? 'ignore', timeoutMs })
  return { code, stdout: text, stderr }
}
