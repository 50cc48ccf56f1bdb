import * as sys from 'native:sys'
import type { Reaped, Reaper } from '../pid1/reaper.ts'
import type { ContainerProcess } from '../container/process.ts'
import type { Events } from '../events.ts'
import { wrongState } from '../refusal.ts'
import type { Stdio } from '../streams/stdio.ts'

/**
 * - `made`: its stdio is there, the process is not yet (or will never be).
 * - `alive`: until it is reaped.
 * - `exited`: reaped; the shim is told as soon as no answer has to come first.
 */
type State =
  | { is: 'made' }
  | { is: 'alive'; process: ContainerProcess }
  | { is: 'exited'; process: ContainerProcess; exit: Reaped }

export interface ProcessNames {
  containerId: string
  /** Empty: the container's init. */
  execId: string
}

/** A process of a container as the shim knows it: ids, stdio, and its one exit event. */
export class SandboxProcess {
  #state: State = { is: 'made' }
  #holds = 0
  #told = false
  #onGone: () => void = () => {}

  constructor(readonly names: ProcessNames, readonly stdio: Stdio, private readonly events: Events) {}

  get what(): string {
    return this.names.execId === '' ? `container ${this.names.containerId}` : `exec ${this.names.execId} of container ${this.names.containerId}`
  }

  /** The process that runs. Throws Refusal(FailedPrecondition) when there is none. */
  get process(): ContainerProcess {
    if (this.#state.is === 'alive') return this.#state.process
    throw wrongState(`${this.what} ${this.#state.is === 'made' ? 'has not started' : 'has ended'}`)
  }

  get isAlive(): boolean {
    return this.#state.is === 'alive'
  }

  /** Called once when it has exited, the shim was told and its outputs have ended. */
  onGone(gone: () => void): void {
    this.#onGone = gone
  }

  /** Takes ownership of `process`, whose exit is from now on this object's to tell; `ended` is called before. */
  run(process: ContainerProcess, reaper: Reaper, ended: () => void = () => {}): void {
    this.#state = { is: 'alive', process }
    const master = process.takeTerminal()
    if (master) this.stdio.attachTerminal(master)
    reaper.claim(process.pid, exit => {
      this.#state = { is: 'exited', process, exit }
      ended()
      this.#tell()
    })
  }

  /**
   * Keeps the exit event back until the hold is disposed of and the answer to the request under way was sent:
   * the shim hears that a process runs before it hears that it ended.
   */
  hold(): Disposable {
    this.#holds++
    return {
      [Symbol.dispose]: () => {
        // The next turn of the loop comes after the answer, which the jobs of this one send.
        sys.setTimer(0, () => {
          this.#holds--
          this.#tell()
        })
      },
    }
  }

  /** Gives back what the process has here; idempotent. An exit that is still to come is told all the same. */
  close(): void {
    this.stdio.close()
    if (this.#state.is !== 'made') this.#state.process.close()
  }

  #tell(): void {
    if (this.#state.is !== 'exited' || this.#holds > 0 || this.#told) return
    this.#told = true
    const { process, exit } = this.#state
    this.events.exit({ ...this.names, pid: process.pid, exitStatus: exit.status, exitedAtNs: exit.atNs })
    process.close()
    void this.stdio.outputsEnded().then(() => this.#onGone())
  }
}
