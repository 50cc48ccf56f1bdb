/** Where one attack takes place: a host, a runtime on it, a scratch directory of the host's, and what is made in it. */
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { onTestFinished } from 'vitest'
import { Container } from '../e2e/container.ts'
import type { ContainerOptions } from '../e2e/container.ts'
import type { AttackedHost } from './containerd-host.ts'
import { oneLine } from './one-line.ts'
import { Pod } from './pod.ts'

export class Site {
  /** A directory on the host, removed with the case. */
  readonly directory: string
  /** A word that stands nowhere else: what a leak shows. */
  readonly secret = `canary-${randomBytes(12).toString('hex')}`

  /** `weak`: the case's control runs, so take its guard away. */
  constructor(readonly host: AttackedHost, readonly runtime: string, readonly weak: boolean) {
    this.directory = `${host.directory}/isolation/${randomBytes(6).toString('hex')}`
    mkdirSync(this.directory, { recursive: true })
    onTestFinished(() => rmSync(this.directory, { recursive: true, force: true }))
  }

  /** A created container, not started; goes with the case. */
  create(options: ContainerOptions = {}): Promise<Container> {
    return Container.create(this.host, { runtimeName: this.runtime }, options)
  }

  /** A container without a task: what must be done between its FIFOs and its creation. */
  prepare(options: ContainerOptions = {}): Promise<Container> {
    return Container.prepare(this.host, { runtimeName: this.runtime }, options)
  }

  /** A running container (`sleep` if no args are given). */
  async start(options: ContainerOptions = {}): Promise<Container> {
    const container = await this.create(options)
    await container.start()
    return container
  }

  /** Runs a container to its end. Undefined where the runtime refuses to create or to start it, with the error as `refusal`. */
  async attempt(options: ContainerOptions): Promise<{ status: number; stdout: string; stderr: string; refusal?: string }> {
    const refused = (error: unknown) => ({ status: -1, stdout: '', stderr: '', refusal: oneLine(error instanceof Error ? error.message : String(error)) })
    let container: Container
    try {
      container = await this.create(options)
    } catch (error) { return refused(error) }
    const end = container.finish()
    try {
      await container.start()
    } catch (error) {
      // Its wait answers when the task is deleted.
      end.catch(() => undefined)
      return refused(error)
    }
    return await end
  }

  /** A pod: containers of one sandbox, grouped the way CRI groups them. */
  pod(): Promise<Pod> { return Pod.run(this) }

  /** Writes a file with the secret on the host and gives its path. */
  plant(name = 'canary'): string {
    const path = `${this.directory}/${name}`
    writeFileSync(path, `${this.secret}\n`)
    return path
  }

  /** Content of a file of the scratch directory as it is now; undefined when it is gone. */
  read(name: string): string | undefined {
    const path = `${this.directory}/${name}`
    return existsSync(path) ? readFileSync(path, 'utf8') : undefined
  }
}
