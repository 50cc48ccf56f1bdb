import type { Owner } from '../../native/ts/owner.ts'
import { Process } from '../process/process.ts'
import type { ProcessExit } from '../process/state.ts'
import { Refusal } from '../refusal.ts'
import type { HostHooks } from '../spec/hooks.ts'

/** Exec processes of one container that may exist at a time: each costs streams and descriptors on the host. */
const maxExecs = 1024

export interface ContainerParts {
  id: string
  bundle: string
  annotations: Record<string, string>
  init: Process
  hooks: HostHooks
  /** What the container holds on the host: its rootfs and binds in the share. */
  owner: Owner
}

/** One container of the sandbox, with its init and its execs. */
export class Container {
  readonly id: string
  readonly bundle: string
  readonly annotations: Record<string, string>
  readonly init: Process
  readonly hooks: HostHooks
  paused = false
  /** OCI Process of each added exec, until it is started. */
  readonly execs = new Map<string, { process: Process; spec: Uint8Array }>()
  readonly #owner: Owner

  constructor(parts: ContainerParts) {
    this.id = parts.id
    this.bundle = parts.bundle
    this.annotations = parts.annotations
    this.init = parts.init
    this.hooks = parts.hooks
    this.#owner = parts.owner
  }

  /** The process that a request means; empty: init. Throws Refusal. */
  process(execId: string): Process {
    if (execId === '') return this.init
    const exec = this.execs.get(execId)
    if (!exec) throw new Refusal('not-found', `exec ${execId} does not exist in container ${this.id}`)
    return exec.process
  }

  /** Throws Refusal when the id is taken or there are too many. */
  requireExecRoom(execId: string): void {
    if (this.execs.has(execId)) throw new Refusal('already-exists', `exec ${execId} already exists in container ${this.id}`)
    if (this.execs.size >= maxExecs) throw new Refusal('unavailable', `container ${this.id} has ${maxExecs} execs`, { fix: 'delete those that have ended' })
  }

  get processes(): Process[] {
    return [this.init, ...[...this.execs.values()].map(exec => exec.process)]
  }

  /** Every process ends with `exit`: the guest is gone. Execs first, as containerd expects. */
  killed(exit: ProcessExit): void {
    for (const process of this.processes.reverse()) process.failed(exit)
  }

  /** Gives back what the container holds on the host. Throws when something could not be released. */
  async release(): Promise<void> {
    await this.#owner.release()
  }
}
