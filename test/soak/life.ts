/** One container from its creation to its end: what the soak does with it, and what the model says of each answer. */
import { Container, type TaskHandle } from '../e2e/container.ts'
import type { Lane } from '../e2e/matrix.ts'
import { beSandbox, joinSandbox } from '../e2e/pod-spec.ts'
import type { ProcessSpec } from '../e2e/spec.ts'
import type { Stack } from '../e2e/stack.ts'
import type { Errand } from './errands.ts'
import type { Figures } from './figures.ts'
import type { Gate } from './gate.ts'
import { judge, judgeBeginning } from './judge.ts'
import { descriptorsOf, shimOf } from './processes.ts'
import type { Random } from './random.ts'
import { codeOf, errorOf, messageOf, NoAnswer, pause, within } from './settle.ts'
import { Volumes } from './volumes.ts'

/** No call of a client takes longer, under load and with everything stopped for a while. */
const answerMs = 90_000
/** How far from the host's clock a time of exit may be: what a shim corrects of a guest's is more than that (shim/sandbox/guest-events.ts). */
const clockErrorMs = 3_600_000
const grpcUnavailable = 14
const grpcNotFound = 5

export interface LifeParts {
  stack: Stack
  lane: Lane
  random: Random
  figures: Figures
  gate: Gate
  round: number
  /** The pod that it is a container of; without: a container alone, or a pod's own. */
  pod?: Life
}

export class Life {
  readonly history: string[] = []
  readonly #background: { errand: Errand; process: TaskHandle }[] = []
  #container: Container | undefined
  #volumes: Volumes | undefined
  #settledFds: string[] | undefined
  #pid = 0

  constructor(readonly parts: LifeParts) {}

  get stack(): Stack { return this.parts.stack }
  get random(): Random { return this.parts.random }
  get figures(): Figures { return this.parts.figures }
  get isControl(): boolean { return this.parts.lane.runtime === 'runc' }
  get id(): string { return this.container.containerId }
  /** The container that the sandbox is named after: what finds its shim, VMM and daemons. */
  get sandboxId(): string { return this.parts.pod?.id ?? this.id }
  get isAlone(): boolean { return this.parts.pod === undefined }
  get where(): string { return `round ${this.parts.round} ${this.parts.lane.runtime} ${this.#container?.containerId ?? ''} after ${this.history.slice(-4).join(', ')}` }

  get container(): Container {
    if (this.#container === undefined) throw new Error('the container is not prepared')
    return this.#container
  }

  /** A step as it is counted; a fault as well as an operation may be one. */
  did(operation: string): void {
    this.history.push(operation)
    this.figures.operation(operation)
  }

  didFault(fault: string): void {
    this.history.push(`[${fault}]`)
    this.figures.fault(fault)
  }

  /** Makes the container, without its task. `init`: what its first process does; undefined: it waits to be killed. */
  prepare(init?: Errand): Promise<void> { return this.parts.gate.shared(() => this.#prepare(init)) }

  async #prepare(init: Errand | undefined): Promise<void> {
    const { stack, lane } = this.parts
    const args = init === undefined ? ['sleep', '100000'] : ['sh', '-c', init.script]
    this.#container = await Container.prepare(stack, lane, {
      args, stdin: init?.input !== undefined,
      spec: (spec) => {
        // Known only now: the directories are named after the container.
        this.#volumes = new Volumes(stack, spec.linux.cgroupsPath.split('/').at(-1) ?? '')
        spec.mounts.push(...this.#volumes.mounts)
        const { pod } = this.parts
        if (pod !== undefined) joinSandbox(spec, { id: pod.id, pid: pod.#pid })
      },
    }, false)
  }

  /** As prepare, for the container that stands for a pod's sandbox. */
  async prepareSandbox(): Promise<void> {
    const { stack, lane, gate } = this.parts
    this.#container = await gate.shared(() => Container.prepare(stack, lane, { args: ['sleep', '100000'], spec: beSandbox }, false))
  }

  /** Goes a way from the creation to the removal. Whatever goes wrong becomes a finding, and what is left is removed by force. */
  async live(way: () => Promise<void>): Promise<void> {
    try {
      await way()
    } catch (error) {
      this.figures.found(error instanceof NoAnswer ? 'no answer' : 'wrong answer', `${this.where}: ${messageOf(error)}`)
      await errorOf(this.parts.gate.shared(() => this.forceDelete()))
    }
    const error = await errorOf(this.parts.gate.shared(() => this.remove()))
    if (error !== undefined) this.figures.found('wrong answer', `${this.where}: removing: ${messageOf(error)}`)
  }

  async create(): Promise<void> {
    this.did('create')
    await within(this.container.createTask(), answerMs, 'create')
  }

  async start(): Promise<void> {
    this.did('start')
    this.#pid = await within(this.container.start(), answerMs, 'start')
  }

  /** Runs an errand as an exec to its end and judges it. */
  async run(errand: Errand, change?: (process: ProcessSpec) => void): Promise<void> {
    const process = await this.begin(errand, change)
    await this.#finish(errand, process)
  }

  /** Starts an errand whose end `collect` waits for: faults and other steps come between. */
  async leaveRunning(errand: Errand): Promise<void> {
    this.#background.push({ errand, process: await this.begin(errand) })
  }

  async collect(): Promise<void> {
    for (const { errand, process } of this.#background.splice(0)) await this.#finish(errand, process)
  }

  async begin(errand: Errand, change?: (process: ProcessSpec) => void): Promise<TaskHandle> {
    this.did(`exec ${errand.name}`)
    const process = await within(this.container.addExec(['sh', '-c', errand.script], {
      terminal: errand.terminal ?? false, stdin: errand.input !== undefined || errand.terminal === true, ...(change === undefined ? {} : { process: change }),
    }), answerMs, 'exec')
    try {
      await within(process.start(), answerMs, 'start of an exec')
    } catch (error) {
      await errorOf(this.stack.client.call('tasks.DeleteProcess', { container_id: this.id, exec_id: process.execId }))
      process.io.close()
      throw error
    }
    return process
  }

  /** The first process as an errand: everything of it is judged, and the task deleted. */
  async finishInit(errand: Errand): Promise<void> {
    const result = await this.#result(errand, this.container)
    judge(this.figures, this.where, errand, result, this.isControl)
    const status = await within(this.container.deleteTask(), answerMs, 'delete')
    if (status !== errand.status) this.figures.found('wrong exit code', `${this.where}: delete told ${status} instead of ${errand.status}`)
  }

  /** Ends a container that is well, and holds each answer to the model. */
  async end(): Promise<void> {
    await this.collect()
    await this.#expectDescriptorsBack()
    this.did('kill')
    const killedAtMs = Date.now()
    const exited = this.patientWait(this.container)
    await within(this.container.kill(9), answerMs, 'kill')
    this.figures.exits++
    const { status, atMs } = await within(exited, answerMs, 'wait for the killed container')
    this.#judgeTime(killedAtMs, atMs, 'the container')
    if (status !== 137) this.figures.found('wrong exit code', `${this.where}: a container killed by 9 told ${status}`)
    this.did('delete')
    await within(this.container.deleteTask(), answerMs, 'delete')
  }

  /**
   * Ends a container that lost a part of its sandbox. Nothing may be told to have ended well, and everything must be told
   * in time. `hangs`: nothing ends by itself, so that it is removed before anything is waited for.
   */
  async endLost({ started, hangs = false }: { started: boolean; hangs?: boolean }): Promise<void> {
    if (hangs) await this.forceDelete()
    for (const { errand, process } of this.#background.splice(0)) {
      await this.expectNoSuccess(`wait for ${errand.name}`, process, errand.status === 0)
      judgeBeginning(this.figures, this.where, errand, process.output.bytes)
      process.io.close()
    }
    if (started) await this.expectNoSuccess('wait for the container', this.container)
    if (!hangs) await this.forceDelete()
  }

  /** `mayEndWell`: it may have ended by itself before. */
  async expectNoSuccess(what: string, process: TaskHandle, mayEndWell = false): Promise<void> {
    const outcome = await within(process.wait().then((status) => ({ status }), (error: unknown) => ({ error })), answerMs, what)
    if ('status' in outcome && outcome.status === 0 && !mayEndWell) this.figures.found('wrong exit code', `${this.where}: ${what} told success of a process whose sandbox was lost`)
  }

  /** What a client does with a task in trouble: kill and delete until containerd knows it no more. */
  async forceDelete(): Promise<void> {
    this.did('delete by force')
    await errorOf(this.container.kill(9, true))
    const end = Date.now() + answerMs
    for (;;) {
      const error = await errorOf(this.stack.client.call('tasks.Delete', { container_id: this.id }, 20_000))
      if (error === undefined || codeOf(error) === grpcNotFound) break
      if (Date.now() > end) throw new NoAnswer(`delete by force: ${messageOf(error)}`)
      await pause(200)
    }
    this.container.forgetTask()
  }

  /** Everything of the container that is not the runtime's. */
  async remove(): Promise<void> {
    for (const { process } of this.#background.splice(0)) process.io.close()
    try {
      await this.#container?.remove()
    } finally {
      this.#volumes?.remove()
      this.#volumes = undefined
    }
  }

  /** Wait, asked again when containerd was killed under it. */
  async patientWait(process: TaskHandle): Promise<{ status: number; atMs: number }> {
    for (;;) {
      try { return await process.waitForExit() } catch (error) {
        if (codeOf(error) !== grpcUnavailable && codeOf(error) !== 1) throw error
        await pause(100)
      }
    }
  }

  /** What the shim holds when only the first process is there: nothing may be added to that. */
  rememberDescriptors(): void {
    const shim = this.isControl ? undefined : shimOf(this.stack, this.sandboxId)
    if (shim !== undefined) this.#settledFds = descriptorsOf(shim)
  }

  async #expectDescriptorsBack(): Promise<void> {
    const shim = this.#settledFds === undefined ? undefined : shimOf(this.stack, this.sandboxId)
    if (shim === undefined || this.#settledFds === undefined) return
    const end = Date.now() + 20_000
    let fds = descriptorsOf(shim)
    while (fds.length > this.#settledFds.length && Date.now() < end) {
      await pause(200)
      fds = descriptorsOf(shim)
    }
    if (fds.length > this.#settledFds.length) this.figures.found('leak', `${this.where}: the shim holds ${fds.length} descriptors instead of ${this.#settledFds.length}:\n${fds.join(' ')}\ninstead of\n${this.#settledFds.join(' ')}`)
  }

  /** Users read when a process ended beside what else happened on the host, whatever the guest's clock says. */
  #judgeTime(beganMs: number, atMs: number, what: string): void {
    if (atMs < beganMs - clockErrorMs || atMs > Date.now() + clockErrorMs) this.figures.found('wrong answer', `${this.where}: ${what} is told to have ended at ${new Date(atMs).toISOString()}`)
  }

  async #finish(errand: Errand, process: TaskHandle): Promise<void> {
    let result
    try {
      result = await this.#result(errand, process)
      await within(this.stack.client.call('tasks.DeleteProcess', { container_id: this.id, exec_id: process.execId }), answerMs, 'delete of an exec')
    } finally {
      process.io.close()
    }
    judge(this.figures, this.where, errand, result, this.isControl)
  }

  async #result(errand: Errand, process: TaskHandle): Promise<{ status: number; stdout: Buffer; stderr: Buffer }> {
    const beganMs = Date.now()
    const exited = this.patientWait(process)
    exited.catch(() => undefined) // awaited below, after what may fail before
    if (errand.input !== undefined) {
      process.io.write(errand.input)
      await within(process.closeInput(), answerMs, 'close of the input')
    }
    if (errand.signal !== undefined) {
      await within(process.output.until(/ready/), answerMs, `the word of ${errand.name}`)
      await within(process.kill(errand.signal), answerMs, 'kill of an exec')
    }
    const { status, atMs } = await within(exited, answerMs, `exit of ${errand.name}`)
    this.#judgeTime(beganMs, atMs, errand.name)
    const none = Promise.resolve(Buffer.alloc(0))
    const [stdout, stderr] = await within(Promise.all([process.output.complete, process.io.errors?.complete ?? none]), answerMs, `end of the output of ${errand.name}`)
    return { status, stdout, stderr }
  }
}
