/**
 * Network namespaces as a CNI plugin makes them, inside the stack's own network namespace: a bridge there, and for each pod
 * a namespace with one end of a veth pair. Nothing of it reaches the machine's network.
 */
import { execFileSync, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { onTestFinished } from 'vitest'
import type { Spec } from './spec.ts'
import type { Stack } from './stack.ts'

export interface InterfaceOptions { name?: string; mtu?: number; addresses: readonly string[]; mac?: string }

/** Runs a command in the stack's namespaces, or with `netns` in that namespace of it; returns its standard output. */
export function inStack(stack: Stack, command: readonly string[], netns?: string): string {
  return execFileSync('nsenter', nsenterArguments(stack, command, netns), { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], timeout: 60_000 })
}

/** The same, not waited for; killed when the test ends. */
export function startInStack(stack: Stack, command: readonly string[], netns?: string): ChildProcess {
  const child = spawn('nsenter', nsenterArguments(stack, command, netns), { stdio: ['pipe', 'pipe', 'pipe'] })
  onTestFinished(() => { child.kill('SIGKILL') })
  return child
}

function nsenterArguments(stack: Stack, command: readonly string[], netns?: string): string[] {
  const net = netns === undefined ? '--net' : `--net=/proc/${stack.holderPid}/root/run/netns/${netns}`
  return ['--target', String(stack.holderPid), '--mount', net, ...command]
}

let count = 0

/** One bridge with its pods; removed with the test. */
export class PodNetwork {
  readonly bridge: string
  readonly #subnet: number

  constructor(private readonly stack: Stack, mtu = 1500) {
    this.#subnet = ++count
    this.bridge = `e2e-br${this.#subnet}`
    onTestFinished(() => { inStack(stack, ['ip', 'link', 'delete', this.bridge]) })
    this.ip('link', 'add', this.bridge, 'type', 'bridge')
    this.ip('link', 'set', this.bridge, 'mtu', String(mtu))
    this.ip('addr', 'add', `${this.gateway}/24`, 'dev', this.bridge)
    this.ip('addr', 'add', `${this.gateway6}/64`, 'dev', this.bridge, 'nodad')
    this.ip('link', 'set', this.bridge, 'up')
  }

  get gateway(): string { return this.address(1) }
  get gateway6(): string { return this.address6(1) }
  address(host: number): string { return `10.99.${this.#subnet}.${host}` }
  address6(host: number): string { return `fd99:${this.#subnet}::${host}` }

  /** A pod's namespace with `eth0`; its address ends in `host`. */
  addPod(host: number, options: Partial<InterfaceOptions> = {}): Pod {
    const pod = new Pod(this.stack, `${this.bridge}-${host}`)
    pod.addInterface(this, { addresses: [`${this.address(host)}/24`, `${this.address6(host)}/64`], ...options })
    pod.ip('route', 'add', 'default', 'via', this.gateway)
    pod.ip('-6', 'route', 'add', 'default', 'via', this.gateway6)
    return pod
  }

  ip(...words: string[]): string { return inStack(this.stack, ['ip', ...words]) }
}

export class Pod {
  readonly path: string

  constructor(private readonly stack: Stack, readonly netns: string, isOurs = true) {
    this.path = `/run/netns/${netns}`
    onTestFinished(() => { inStack(stack, ['sh', '-c', `! [ -e ${this.path} ] || ip netns delete ${netns}`]) })
    if (!isOurs) return
    inStack(stack, ['ip', 'netns', 'add', netns])
    this.ip('link', 'set', 'lo', 'up')
  }

  /** The namespace that a process is in. */
  static ofProcess(stack: Stack, pid: number): Pod {
    const name = `e2e-pid-${pid}`
    inStack(stack, ['ip', 'netns', 'attach', name, String(pid)])
    return new Pod(stack, name, false)
  }

  addInterface(network: PodNetwork, { name = 'eth0', mtu, addresses, mac }: InterfaceOptions): void {
    const peer = `e2ev${++count}`
    const words = ['link', 'add', peer, 'type', 'veth', 'peer', 'name', name, 'netns', this.netns]
    inStack(this.stack, ['ip', ...words])
    if (mac !== undefined) this.ip('link', 'set', name, 'address', mac)
    if (mtu !== undefined) {
      this.ip('link', 'set', name, 'mtu', String(mtu))
      inStack(this.stack, ['ip', 'link', 'set', peer, 'mtu', String(mtu)])
    }
    inStack(this.stack, ['ip', 'link', 'set', peer, 'master', network.bridge, 'up'])
    this.ip('link', 'set', name, 'up')
    for (const address of addresses) this.ip('addr', 'add', address, 'dev', name, ...(address.includes(':') ? ['nodad'] : []))
  }

  /** Puts a container into this pod's namespace. */
  readonly join = (spec: Spec): void => {
    spec.linux.namespaces = spec.linux.namespaces.map((namespace) => (namespace.type === 'network' ? { type: 'network', path: this.path } : namespace))
  }

  ip(...words: string[]): string { return inStack(this.stack, ['ip', ...words], this.netns) }
  tc(...words: string[]): string { return inStack(this.stack, ['tc', ...words], this.netns) }
}
