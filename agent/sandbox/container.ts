import type { Container } from '../container/container.ts'
import { alreadyExists, notFound, wrongState } from '../refusal.ts'
import type { SandboxProcess } from './process.ts'

/**
 * - `creating`: the init sequence runs; `settled` resolves when it has ended, well or not.
 * - `ready`: created, running, paused or stopped: the kernel knows which.
 * - `deleting`: being removed; nothing else can be asked of it.
 */
type State =
  | { is: 'creating'; settled: Promise<void> }
  | { is: 'ready'; container: Container; stopOomWatch: () => void }
  | { is: 'deleting' }

/** A container of the sandbox, with its init and its execs. */
export class SandboxContainer {
  readonly execs = new Map<string, SandboxProcess>()
  #state: State

  constructor(readonly id: string, readonly init: SandboxProcess, settled: Promise<void>) {
    this.#state = { is: 'creating', settled }
  }

  get state(): State {
    return this.#state
  }

  /** Throws Refusal(FailedPrecondition) while it is created or deleted. */
  get container(): Container {
    if (this.#state.is === 'ready') return this.#state.container
    throw wrongState(`container ${this.id} is ${this.#state.is === 'creating' ? 'being created' : 'being deleted'}`)
  }

  /** creating → ready. */
  ready(container: Container, stopOomWatch: () => void): void {
    if (this.#state.is !== 'creating') throw wrongState(`container ${this.id} cannot go from ${this.#state.is} to ready`)
    this.#state = { is: 'ready', container, stopOomWatch }
  }

  /** ready → deleting; the OOM watch ends. */
  deleting(): Container {
    const { container } = this
    if (this.#state.is === 'ready') this.#state.stopOomWatch()
    this.#state = { is: 'deleting' }
    return container
  }

  /** deleting → ready, without OOM watch: the deletion failed, and may be asked for again. */
  undeleted(container: Container): void {
    this.#state = { is: 'ready', container, stopOomWatch: () => {} }
  }

  /** The process that a request means; empty: init. Throws Refusal(NotFound). */
  process(execId: string): SandboxProcess {
    if (execId === '') return this.init
    const exec = this.execs.get(execId)
    if (!exec) throw notFound(`exec ${execId} of container ${this.id} does not exist`)
    return exec
  }

  addExec(execId: string, exec: SandboxProcess): void {
    if (this.execs.has(execId)) throw alreadyExists(`exec ${execId} of container ${this.id} exists already`)
    this.execs.set(execId, exec)
    exec.onGone(() => this.execs.delete(execId))
  }

  /** Every process's stdio and descriptors; for the end of a deletion. */
  closeProcesses(): void {
    for (const process of [...this.execs.values(), this.init]) process.close()
    this.execs.clear()
  }
}
