/** A setting of the kernel that an attack may change without harm: nobody depends on it while core_pattern is no pipe. */
import { readFileSync, writeFileSync } from 'node:fs'
import { onTestFinished } from 'vitest'
import type { Container } from '../e2e/container.ts'

export class KernelSetting {
  readonly path = '/proc/sys/kernel/core_pipe_limit'
  private readonly before = this.host
  /** What the attack writes. */
  readonly value = this.before === '7' ? '8' : '7'

  /** Is put back when the case ends. */
  constructor() {
    onTestFinished(() => { if (this.changed) writeFileSync(this.path, this.before) })
  }

  get host(): string { return readFileSync(this.path, 'utf8').trim() }
  get changed(): boolean { return this.host !== this.before }

  /** Whether the container's own kernel has what the attack writes. */
  async changedIn(container: Container): Promise<boolean> {
    return (await container.shell(`cat ${this.path}`)).trim() === this.value
  }
}
