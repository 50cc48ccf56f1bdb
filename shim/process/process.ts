import { realtimeNs } from '../../native/ts/clock.ts'
import { Refusal } from '../refusal.ts'
import type { Stdio } from '../stdio/stdio.ts'
import { drain } from './drain.ts'
import { move, type ProcessExit, type ProcessState } from './state.ts'

/** How long an exit is held back from waiters while no output comes. */
const waitQuietMs = 1_000
/** How long Delete waits for more output: a child that a process left behind may hold its stdout for ever. */
const deleteQuietMs = 2_000

export interface ProcessNames {
  containerId: string
  /** Empty for the container's init. */
  execId: string
}

/** A process of the guest as the host sees it: its state, its streams and its exit. */
export class Process {
  #state: ProcessState = { is: 'added' }
  /** The agent may tell the exit before it answers the start: held until that answer is known. */
  #early: ProcessExit | undefined
  #settle: (exit: ProcessExit) => void = () => {}
  #exited: (exit: ProcessExit) => void = () => {}
  readonly #finished: Promise<ProcessExit>
  readonly what: string
  /** Of the terminal in character cells; 0 until a client told it. */
  size = { width: 0, height: 0 }

  /** Takes ownership of `stdio`. `pulse`: resolves with any answer of the agent. `outputLimitMs`: as drain.ts has it. */
  constructor(readonly names: ProcessNames, readonly stdio: Stdio, private readonly pulse: () => Promise<unknown>, private readonly outputLimitMs?: number) {
    this.what = names.execId === '' ? `container ${names.containerId}` : `exec ${names.execId} of container ${names.containerId}`
    this.#finished = new Promise(resolve => { this.#settle = resolve })
  }

  get state(): ProcessState {
    return this.#state
  }

  get exit(): ProcessExit | undefined {
    return 'exit' in this.#state ? this.#state.exit : undefined
  }

  /** Called once, when the exit counts: after `running` was announced, however early it came. */
  onExit(exited: (exit: ProcessExit) => void): void {
    this.#exited = exited
  }

  created(): void {
    this.#setState({ is: 'created' })
    this.#applyEarly()
  }

  /** Throws Refusal when the process is not one that can be started. */
  starting(): void {
    const { is } = this.#state
    const startable = this.names.execId === '' ? is === 'created' : is === 'added'
    if (!startable) throw new Refusal('precondition', `${this.what} cannot be started: it is ${is}`)
    this.#setState({ is: 'starting' })
  }

  running(): void {
    this.#setState({ is: 'running' })
  }

  /** After `running` was announced: lets an exit count that came before. */
  announced(): void {
    this.#applyEarly()
  }

  /** The process ended. A second exit is ignored: the first is the one containerd was told. */
  stopped(exit: ProcessExit): void {
    const { is } = this.#state
    if (is === 'stopped' || is === 'deleted') return
    if (is === 'added' || is === 'starting') {
      this.#early ??= exit
      return
    }
    this.#setState({ is: 'stopped', exit })
    this.stdio.stdin?.close()
    this.#exited(exit)
    void this.#finish(exit)
  }

  /** The start failed, or the sandbox died: no answer is to be waited for any more. */
  failed(exit: ProcessExit = { status: 255, atNs: realtimeNs() }): void {
    const { is } = this.#state
    if (is === 'stopped' || is === 'deleted') return
    const told = this.#early ?? exit
    this.#early = undefined
    this.#setState({ is: 'stopped', exit: told })
    void this.stdio.close()
    this.#exited(told)
    this.#settle(told)
  }

  /** Resolves with the exit once output has arrived, or none is to be expected (drain.ts). Never rejects. */
  wait(): Promise<ProcessExit> {
    return this.#finished
  }

  /** Whether its input, output and signals mean something in the guest now. */
  get isAlive(): boolean {
    return this.#state.is === 'created' || this.#state.is === 'starting' || this.#state.is === 'running'
  }

  /** Gives the id free: waits for the output (drain.ts), then closes the streams. Throws Refusal when it has not stopped. */
  async delete(): Promise<ProcessExit> {
    if (this.#state.is !== 'stopped') throw new Refusal('precondition', `${this.what} cannot be deleted: it is ${this.#state.is}`)
    const { exit } = this.#state
    this.#setState({ is: 'deleted', exit })
    await drain(this.stdio, deleteQuietMs, this.pulse, this.outputLimitMs)
    await this.stdio.close()
    return exit
  }

  async #finish(exit: ProcessExit): Promise<void> {
    await drain(this.stdio, waitQuietMs, this.pulse, this.outputLimitMs)
    this.#settle(exit)
  }

  #applyEarly(): void {
    const exit = this.#early
    this.#early = undefined
    if (exit) this.stopped(exit)
  }

  #setState(to: ProcessState): void {
    this.#state = move(this.what, this.#state, to)
  }
}
