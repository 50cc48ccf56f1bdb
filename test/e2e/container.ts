/** A container made through containerd's API, with its snapshot, task and processes, and their removal. */
import { randomBytes } from 'node:crypto'
import { onTestFinished } from 'vitest'
import type { Any, ContainerdClient, Mount, TaskProcess } from './containerd/client.ts'
import { idPrefix } from './leaks.ts'
import type { Lane } from './matrix.ts'
import { baseSpec, processSpec } from './spec.ts'
import type { ProcessSpec, Spec } from './spec.ts'
import type { Stack } from './stack.ts'
import { Stdio } from './stdio.ts'

const specType = 'types.containerd.io/opencontainers/runtime-spec/1/'
const snapshotter = 'overlayfs'

/** What a container needs to know of a containerd: a stack of hack/stack, or one that stands already. */
export type ContainerdHost = Pick<Stack, 'client' | 'directory'>

export interface ContainerOptions {
  args?: readonly string[]
  /** Changes the spec that clients send by default. */
  spec?: (spec: Spec, id: string) => void
  /** The shim's own options for this container, of its own type. */
  runtimeOptions?: Any
  /** Root file system, in place of a snapshot of the image. */
  rootMounts?: Mount[]
  /** Changes the root file system before the task is created: gets the host's directory whose content lies over the image. */
  rootfs?: (layer: string) => void
  stdin?: boolean
  terminal?: boolean
  /** Nobody reads the outputs until io.read is called. */
  readLater?: boolean
  /** Replaces the FIFOs: a log URI such as file:///path. */
  logUri?: string
}
export interface ExecOptions { stdin?: boolean; terminal?: boolean; process?: (process: ProcessSpec) => void }

export const uniqueId = (): string => `${idPrefix}${process.pid}-${randomBytes(4).toString('hex')}`
export const json = (type: string, value: unknown): { type_url: string; value: Buffer } =>
  ({ type_url: `${specType}${type}`, value: Buffer.from(JSON.stringify(value)) })

/** The init process or an exec of a task: an empty execId is the init. */
export class TaskHandle {
  constructor(
    protected readonly client: ContainerdClient, readonly containerId: string, readonly execId: string, readonly io: Stdio,
  ) {}

  #key(): { container_id: string; exec_id: string } { return { container_id: this.containerId, exec_id: this.execId } }
  get output(): Stdio['output'] { return this.io.output }

  async start(): Promise<number> { return (await this.client.call('tasks.Start', this.#key())).pid }
  async wait(): Promise<number> { return (await this.waitForExit()).status }
  /** `atMs`: when it ended, as containerd was told. */
  async waitForExit(): Promise<{ status: number; atMs: number }> {
    const { exit_status, exited_at } = await this.client.call('tasks.Wait', this.#key(), 300_000)
    return { status: exit_status, atMs: exited_at === null ? 0 : Number(exited_at.seconds) * 1000 + exited_at.nanos / 1e6 }
  }
  async state(): Promise<TaskProcess> { return (await this.client.call('tasks.Get', this.#key())).process }
  async kill(signal: number, all = false): Promise<void> { await this.client.call('tasks.Kill', { ...this.#key(), signal, all }) }
  async resize(width: number, height: number): Promise<void> {
    await this.client.call('tasks.ResizePty', { ...this.#key(), width, height })
  }
  async closeInput(): Promise<void> {
    await this.io.endInput()
    await this.client.call('tasks.CloseIO', { ...this.#key(), stdin: true })
  }
  /** Starts, waits and returns the exit status with the complete output. */
  async finish(): Promise<{ status: number; stdout: string; stderr: string }> {
    const exited = this.wait()
    const [status, stdout, stderr] = await Promise.all([exited, this.output.complete, this.io.errors?.complete])
    return { status, stdout: stdout.toString(), stderr: stderr?.toString() ?? '' }
  }
}

export class Container extends TaskHandle {
  #execs = 0
  #created = false
  private constructor(
    client: ContainerdClient, id: string, io: Stdio, private readonly stack: ContainerdHost, readonly options: ContainerOptions,
    private readonly inTest: boolean,
  ) { super(client, id, '', io) }

  /**
   * Makes the container and its snapshot and creates the task (its process waits for start). Everything is removed when
   * the test that is running ends; call it inside a test only.
   */
  static async create(stack: ContainerdHost, lane: Pick<Lane, 'runtimeName'>, options: ContainerOptions = {}): Promise<Container> {
    const container = await Container.prepare(stack, lane, options)
    await container.createTask()
    return container
  }

  /** As create, without the task. Outside a test (`inTest` false) the caller calls remove. */
  static async prepare(stack: ContainerdHost, lane: Pick<Lane, 'runtimeName'>, options: ContainerOptions = {}, inTest = true): Promise<Container> {
    const id = uniqueId()
    const terminal = options.terminal ?? false
    const io = new Stdio(`${stack.directory}/e2e/${id}/init`, { stdin: options.stdin ?? false, terminal, readLater: options.readLater ?? false })
    const container = new Container(stack.client, id, io, stack, options, inTest)
    if (inTest) onTestFinished(() => container.remove())
    const spec = baseSpec(id, options.args ?? ['sleep', '1000'])
    spec.process.terminal = terminal
    options.spec?.(spec, id)
    await stack.client.call('containers.Create', {
      container: { id, image: '', runtime: { name: lane.runtimeName, ...(options.runtimeOptions ? { options: options.runtimeOptions } : {}) }, snapshotter, snapshot_key: id, spec: json('Spec', spec) },
    })
    return container
  }

  async createTask(): Promise<number> {
    const mounts = this.options.rootMounts ?? (await this.client.call('snapshots.Prepare', {
      snapshotter, key: this.containerId, parent: await this.client.baseSnapshot(),
    })).mounts
    this.options.rootfs?.(upperLayer(mounts))
    const logUri = this.options.logUri
    const { pid } = await this.client.call('tasks.Create', {
      container_id: this.containerId, rootfs: mounts, terminal: this.options.terminal ?? false,
      stdin: this.io.stdin, stdout: logUri ?? this.io.stdout, stderr: logUri ?? this.io.stderr,
    })
    this.#created = true
    return pid
  }

  /** Adds a process to the running task, without starting it. */
  async addExec(args: readonly string[], options: ExecOptions = {}): Promise<TaskHandle> {
    const terminal = options.terminal ?? false
    const execId = `exec-${++this.#execs}`
    const io = new Stdio(`${this.stack.directory}/e2e/${this.containerId}/${execId}`, { stdin: options.stdin ?? false, terminal })
    if (this.inTest) onTestFinished(() => io.close())
    const process = processSpec(args)
    process.terminal = terminal
    options.process?.(process)
    try {
      await this.client.call('tasks.Exec', {
        container_id: this.containerId, exec_id: execId, terminal, spec: json('Process', process),
        stdin: io.stdin, stdout: io.stdout, stderr: io.stderr,
      })
    } catch (error) {
      io.close() // nobody else opens its FIFOs, so its cats would wait for ever
      throw error
    }
    return new TaskHandle(this.client, this.containerId, execId, io)
  }

  /** Runs a command in the container to its end and forgets the process. */
  async exec(args: readonly string[], options: ExecOptions = {}): Promise<{ status: number; stdout: string; stderr: string }> {
    const process = await this.addExec(args, options)
    await process.start()
    const result = await process.finish()
    await this.client.call('tasks.DeleteProcess', { container_id: this.containerId, exec_id: process.execId })
    process.io.close()
    return result
  }

  /** Runs a shell script in the container and returns its standard output; throws when it fails. */
  async shell(script: string): Promise<string> {
    const { status, stdout, stderr } = await this.exec(['sh', '-c', script])
    if (status !== 0) throw new Error(`exit ${status} of: ${script}\n${stdout}${stderr}`)
    return stdout
  }

  async deleteTask(): Promise<number> {
    const { exit_status } = await this.client.call('tasks.Delete', { container_id: this.containerId })
    this.#created = false
    return exit_status
  }

  /** Says that the task is gone, where a test removed it by other means. */
  forgetTask(): void { this.#created = false }

  /** Removes whatever is left of task, container and snapshot, whatever state they are in. */
  async remove(): Promise<void> {
    if (this.#created) await this.#removeTask()
    await ignoringNotFound(this.client.call('containers.Delete', { id: this.containerId }))
    await ignoringNotFound(this.client.call('snapshots.Remove', { snapshotter, key: this.containerId }))
    this.io.close()
  }

  async #removeTask(): Promise<void> {
    const gone = this.wait().catch(() => undefined)
    await ignoringNotFound(this.kill(9, true))
    await gone
    await ignoringNotFound(this.deleteTask())
  }
}

/** Where the snapshot's own files lie: overlay's upper directory, or the one directory that is bound. */
function upperLayer(mounts: readonly Mount[]): string {
  const upper = mounts.flatMap((mount) => mount.options).find((option) => option.startsWith('upperdir='))
  return upper?.slice('upperdir='.length) ?? mounts[0]?.source ?? ''
}

const notFound = 5 // grpc status codes, google.golang.org/grpc/codes
async function ignoringNotFound(call: Promise<unknown>): Promise<void> {
  try { await call } catch (error) {
    // A process that ended by itself answers a kill with NotFound as well.
    if ((error as { code?: number }).code !== notFound) throw error // ServiceError carries the status code
  }
}
