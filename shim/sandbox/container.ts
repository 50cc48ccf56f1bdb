import type { Owner } from '../../native/ts/owner.ts'
import { Process } from '../process/process.ts'
import type { ProcessExit } from '../process/state.ts'
import { Refusal } from '../refusal.ts'
import type { HostHooks } from '../spec/hooks.ts'

/** Exec processes of one container that may exist at a time: each costs streams and descriptors on the host. */
const maxExecs = 1024

/** What stands for a container on the host: the VMM for the sandbox's own, a placeholder for each other one. */
export interface HostProcess {
  readonly pid: number
  /** Ends it where it is the container's alone. */
  end?(): Promise<void>
}

export interface ContainerParts {
  id: string
  /** A pod's pause container has no process in the guest: the shim plays it (task-service/pause-container.ts). */
  isPause?: boolean
  bundle: string
  host: HostProcess
  annotations: Record<string, string>
  init: Process
  hooks: HostHooks
  /** What the container holds on the host: its rootfs and binds in the share. */
  owner: Owner
}

/** One container of the sandbox, with its init and its execs. */
export class Container {
  readonly id: string
  readonly isPause: boolean
  readonly bundle: string
  readonly annotations: Record<string, string>
  readonly init: Process
  readonly hooks: HostHooks
  paused = false
  /** OCI Process of each added exec, until it is started. */
  readonly execs = new Map<string, { process: Process; spec: Uint8Array }>()
  readonly #host: HostProcess
  readonly #owner: Owner

  constructor(parts: ContainerParts) {
    this.id = parts.id
    this.isPause = parts.isPause ?? false
    this.bundle = parts.bundle
    this.#host = parts.host
    this.annotations = parts.annotations
    this.init = parts.init
    this.hooks = parts.hooks
    this.#owner = parts.owner
  }

  /** Its pid on the host, in whatever containerd is told; its execs' too. */
  get pid(): number {
    return this.#host.pid
  }

  /** Its init has ended: the host's process list must not show it any more. */
  async ended(): Promise<void> {
    await this.#host.end?.()
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
