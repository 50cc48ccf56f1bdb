import { Refusal } from '../refusal.ts'
import type { PodDescription } from './pod.ts'
import type { Sandbox } from './sandbox.ts'

export interface OnlySandboxParts {
  id: string
  /** Makes the sandbox, which starts at once. Throws Fault. */
  make: (pod: PodDescription) => Sandbox
  /** Gives back what `start` prepared, where no sandbox came to own it. */
  release: () => void | Promise<void>
}

/** The one sandbox of a shim. With the Sandbox API the shim serves before it knows what the sandbox is to be. */
export class OnlySandbox {
  #sandbox: Sandbox | undefined
  #released = false

  constructor(private readonly parts: OnlySandboxParts) {}

  get id(): string {
    return this.parts.id
  }

  /** undefined: not created yet. */
  get made(): Sandbox | undefined {
    return this.#sandbox
  }

  /** Throws Refusal when there is none yet. */
  get sandbox(): Sandbox {
    if (!this.#sandbox) throw new Refusal('not-found', `sandbox ${this.id} was not created`, { fix: 'CreateSandbox comes first' })
    return this.#sandbox
  }

  /** Throws Refusal when there is one, Fault when it cannot be made; the latter may be tried again. */
  create(pod: PodDescription): Sandbox {
    if (this.#sandbox) throw new Refusal('already-exists', `sandbox ${this.id} exists already`)
    if (this.#released) throw new Refusal('unavailable', `sandbox ${this.id} was shut down`)
    this.#sandbox = this.parts.make(pod)
    return this.#sandbox
  }

  /** Nothing is left on the host when it resolves. Idempotent. */
  async stop(): Promise<void> {
    if (this.#sandbox) return this.#sandbox.stop()
    if (this.#released) return
    this.#released = true
    await this.parts.release()
  }
}
