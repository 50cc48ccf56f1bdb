/** Real shims whose agent is the hostile double, and what is required of each of them. */
import { execFileSync } from 'node:child_process'
import { existsSync, linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { onTestFinished } from 'vitest'
import { writeCpio } from '../../../guest-image/cpio.ts'
import { initrdEntries } from '../../../guest-image/initrd.ts'
import type { EventRecord } from '../../e2e/containerd/client.ts'
import { Container, type ContainerOptions } from '../../e2e/container.ts'
import { commandLine, expectNothingLeft, processesNamed, takeInventory, type Inventory } from '../../e2e/leaks.ts'
import type { Spec } from '../../e2e/spec.ts'
import { checkout, type Stack } from '../../e2e/stack.ts'
import { contained, controlRuntime, escaped, type Verdict } from '../attack.ts'
import { oursRuntime } from '../options.ts'
import { program } from '../programs.ts'
import { configureShims, logFromNow } from '../shim-settings.ts'
import type { Site } from '../site.ts'
import { attacksOf } from './packs.ts'

/** What no call to containerd may take: many times the shim's own deadlines below. No figure is asserted but this. */
const answerLimitMs = 30_000
/** The shim's deadlines: short, so that a suite of silences ends. */
const deadlines = ['timeout_ms = 4000', 'create_timeout_ms = 1500', 'call_timeout_ms = 400', 'kill_timeout_ms = 600', 'output_timeout_ms = 1500'].join('\n')
/** DESIGN: whatever the guest sends, its shim stays within this. */
const residentKibMax = 64 * 1024
/** Of one sandbox in containerd's log: a burst, some seconds of the sustained rate, and the shim's own lines. */
const logBytesMax = 512 * 1024

/** What moves a terminal or deceives who reads: a line of its own is the log's and containerd's to make. */
const unsafe = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/

export interface Outcome {
  attack: string
  id: string
  /** Peak resident memory of the shim; undefined: it was gone before anybody had asked it to go. */
  residentKib: number | undefined
  /** Exit status of the container; undefined where it could not be made. */
  status: number | undefined
  /** What containerd answered that failed. */
  refusals: string[]
}

/** The same for guests, in which every call is emulated on a loaded host: the shim may give up late, never on an attack that has not begun. */
const guestDeadlines = ['timeout_ms = 60000', 'create_timeout_ms = 6000', 'call_timeout_ms = 2000', 'kill_timeout_ms = 2000', 'output_timeout_ms = 2000'].join('\n')
/** VMs at a time: most wait for a deadline of the shim's, few boot. */
const guestsAtOnce = 5

/** How a container of a hostile guest is made, and what else is done on the host. */
export interface GuestAttack {
  options?: ContainerOptions
  /** Before the attack begins. */
  before?: Then
  /** When it has taken place, and all still runs. */
  after?: Then
}

/** More that a client does while the container runs. */
export type Then = (container: Container) => Promise<void>

const built = new Set<string>()

/** The double as a program, for a host or as a guest's PID 1; built when a source of it has changed. */
export function buildDouble(name: 'agent' | 'guest-agent' = 'agent'): string {
  const path = `${checkout}/build/test/isolation/hostile-agent/${name}`
  if (built.has(name)) return path
  execFileSync(`${checkout}/hack/build-bin`, ['--bundle', `${checkout}/test/isolation/hostile-agent/${name}.ts`, '-o', path], { stdio: ['ignore', 'ignore', 'inherit'] })
  built.add(name)
  return path
}

/** Puts the double under the attack's name into the site's directory, which is how it knows what it is to do. */
export function linkDouble(site: Site, attack: string): string {
  const path = `${site.directory}/${attack}`
  rmSync(path, { force: true })
  linkSync(buildDouble(), path)
  return path
}

/** One assault: shims with hostile agents on the private stack, beside a container that they may not touch. */
export class Assault {
  readonly outcomes: Outcome[] = []
  readonly #known = new Set<string>()
  /** Attacks that leave a mark beside their program when they take place. */
  readonly #onHost = new Set<string>()
  /** Attacks of guests that were not told to have begun. */
  readonly #unseen: string[] = []
  /** Attacks by guests so far. */
  #fromGuests = 0
  readonly #newLog: () => string

  private constructor(private readonly site: Site, readonly stack: Stack, readonly victim: Container, private readonly record: EventRecord, private readonly before: Inventory) {
    this.#newLog = logFromNow(stack)
    this.#known.add(victim.containerId).add('p') // the record's own probe
  }

  static async begin(site: Site): Promise<Assault> {
    const { stack } = site.host
    if (!stack) throw new Error('the agent of a shim is replaced by its configuration: only on the private containerd')
    await until(() => processesNamed(stack, /containerd-shim-kata-ts-v2/).length === 0, 'a shim of an earlier case is still there')
    const victim = await Container.create(site.host, { runtimeName: controlRuntime })
    const pid = await victim.start()
    // Until its execve it is called otherwise, and the inventory goes by names.
    await until(() => commandLine(pid).startsWith('sleep'), `the neighbour is ${commandLine(pid)}`)
    writeFileSync(`${site.directory}/victim`, victim.containerId)
    const record = await stack.client.recordEvents()
    onTestFinished(() => record.close())
    return new Assault(site, stack, victim, record, takeInventory(stack))
  }

  /** Runs each attack in a shim of its own: containers are made one after the other, then all at once asked, killed and deleted. `more`: what else happens to the container of an attack. */
  async run(attacks: readonly string[], more: Readonly<Record<string, Then>> = {}): Promise<void> {
    const running: Promise<void>[] = []
    for (const attack of attacks) {
      const path = linkDouble(this.site, attack)
      this.#onHost.add(attack)
      const forget = configureShims(this.stack, `[hypervisor]\ntype = "none"\n[agent]\npath = "${path}"\n${deadlines}`)
      const made = await this.#createTask()
      forget()
      running.push(this.#finish(attack, made, more[attack]))
    }
    await Promise.all(running)
  }

  /**
   * The same attacks by PID 1 of real VMs, so that what is attacked is QEMU, the vsock daemon and the shim together. Each name (an
   * attack, or a pack of them: packs.ts) has a guest of its own; `change` changes what it is given.
   */
  async runInGuests(names: readonly string[], more: Readonly<Record<string, Then>> = {}, change: (spec: Spec) => void = () => {}): Promise<void> {
    const forget = configureShims(this.stack, `${this.#guest()}[agent]\n${guestDeadlines}\n`)
    const left = [...names]
    const work = async (): Promise<void> => {
      for (let name = left.shift(); name !== undefined; name = left.shift()) await this.#inGuest(name, change, more[name])
    }
    await Promise.all(Array.from({ length: guestsAtOnce }, work))
    forget()
  }

  async #inGuest(name: string, change: (spec: Spec) => void, then?: Then): Promise<void> {
    const attacks = attacksOf(name)
    const made = await this.#createTask({ spec: spec => { change(spec); this.#instruct(spec, name) } })
    await this.#finish(name, made, async (container, refusals) => {
      const id = container.containerId
      // The first was asked for as everybody's figures are. A guest that is slow to answer one is not asked for the next.
      for (const attack of attacks.slice(1)) {
        await this.#noting(refusals, this.#metrics(id))
        await until(() => this.#hasBegun(id, attack) || this.shimOf(id) === undefined, `${attack} does not begin`)
      }
      await then?.(container)
    })
    this.#fromGuests += attacks.length
    for (const attack of attacks) if (!this.#hasBegun(made.container.containerId, attack)) this.#unseen.push(`${attack}: the attack did not take place in a guest`)
  }

  #hasBegun(id: string, attack: string): boolean {
    return this.logOf(id).some(each => each.includes(`attack begins: ${attack}"`))
  }

  /** Boots a guest whose PID 1 is the attacker, in a real VM, with the shim's usual deadlines. Gives what the attacker told of it. */
  async runInGuest(attack: string, { options = {}, before, after }: GuestAttack = {}): Promise<string> {
    const forget = configureShims(this.stack, `${this.#guest()}[agent]\ncall_timeout_ms = 20000\n`)
    const made = await this.#createTask({ ...options, spec: (spec, id) => { options.spec?.(spec, id); this.#instruct(spec, attack) } })
    forget()
    if (made.refusal === undefined) await before?.(made.container)
    let told = ''
    await this.#finish(attack, made, async (container) => {
      for (const end = Date.now() + answerLimitMs; told === '' && Date.now() < end;) {
        told = /"msg":"attacked: ([^"]*)"/.exec(this.logOf(container.containerId).find(each => each.includes('attacked: ')) ?? '')?.[1] ?? ''
        if (told === '') await new Promise(resolve => setTimeout(resolve, 50))
      }
      await after?.(container)
    })
    this.#fromGuests++
    if (told === '') throw new Error(`the guest did not tell of its attack: ${this.outcomes.at(-1)?.refusals.join('; ')}`)
    return told
  }

  /** The configuration of a shim whose guest is the attacker. */
  #guest(): string {
    const initrd = `${this.site.directory}/hostile.cpio`
    if (!existsSync(initrd)) {
      const driver = { type: 'file', path: 'drive', mode: 0o555, content: readFileSync(program('drive-virtio')) } as const
      writeFileSync(initrd, writeCpio([...initrdEntries(readFileSync(buildDouble('guest-agent'))), driver]))
    }
    return `[hypervisor]\nmemory_mib = 128\n[guest]\ninitrd = "${initrd}"\n`
  }

  /** What the attacker of a guest is to do (guest-agent.ts). */
  #instruct(spec: Spec, attack: string): void {
    spec.hostname = `${attack}.${this.victim.containerId}`
  }

  /** A task, or why there is none. */
  async #createTask(options: ContainerOptions = {}): Promise<{ container: Container; refusal?: string }> {
    const container = await Container.prepare(this.site.host, { runtimeName: oursRuntime }, options)
    this.#known.add(container.containerId)
    return await container.createTask().then(() => ({ container }), (error: unknown) => ({ container, refusal: words(error) }))
  }

  async #metrics(id: string): Promise<unknown> {
    return await this.stack.client.call('tasks.Metrics', { filters: [`id==${id}`] }, answerLimitMs)
  }

  async #noting(refusals: string[], call: Promise<unknown>): Promise<void> {
    await call.catch((error: unknown) => { refusals.push(words(error)) })
  }

  async #finish(attack: string, { container, refusal }: { container: Container; refusal?: string }, then?: (container: Container, refusals: string[]) => Promise<void>): Promise<void> {
    const id = container.containerId
    const refusals = refusal === undefined ? [] : [refusal]
    const noting = (call: Promise<unknown>): Promise<void> => this.#noting(refusals, call)
    if (refusal !== undefined) {
      this.outcomes.push({ attack, id, residentKib: 0, status: undefined, refusals })
      return container.remove()
    }
    const { client } = this.stack
    await noting(client.call('tasks.Start', { container_id: id, exec_id: '' }, answerLimitMs))
    await noting(this.#metrics(id))
    if (then) await noting(then(container, refusals))
    await noting(client.call('tasks.Kill', { container_id: id, exec_id: '', signal: 9, all: false }, answerLimitMs))
    const { exit_status: status } = await client.call('tasks.Wait', { container_id: id, exec_id: '' }, answerLimitMs)
    const residentKib = this.#residentKib(id)
    await container.deleteTask()
    await container.remove()
    this.outcomes.push({ attack, id, residentKib, status, refusals })
  }

  /** The shim of a container; undefined: it is gone. */
  shimOf(id: string): number | undefined {
    return processesNamed(this.stack, new RegExp(`containerd-shim-kata-ts-v2 .*-id ${id}`))[0]
  }

  #residentKib(id: string): number | undefined {
    const pid = this.shimOf(id)
    const peak = pid === undefined ? undefined : /^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
    return peak === undefined ? undefined : Number(peak)
  }

  /** Lines of the log that name a container. */
  logOf(id: string): string[] {
    return this.#newLog().split('\n').filter(each => each.includes(id))
  }

  /** Topics of what containerd was told of a container. */
  eventsOf(id: string): string[] {
    return this.record.of(id).map(event => event.topic)
  }

  /** The suite's judgement: nothing may have been done that is forbidden. */
  async verdict(more: readonly string[] = []): Promise<Verdict> {
    const found = [...more, ...await this.violations()]
    return found.length > 0 ? escaped(found.join('; ')) : contained(this.summary())
  }

  /** What a shim did that it may not do, one line each; none is what is required. */
  async violations(): Promise<string[]> {
    const found = this.outcomes.flatMap(({ attack, residentKib }) =>
      residentKib === undefined ? [`${attack}: the shim ended by itself`] : residentKib > residentKibMax ? [`${attack}: the shim took ${residentKib} KiB`] : [])
    found.push(...this.outcomes.filter(({ attack }) => this.#onHost.has(attack) && !existsSync(`${this.site.directory}/did-${attack}`)).map(({ attack }) => `${attack}: the attack did not take place`))
    found.push(...this.#unseen)
    found.push(...this.outcomes.flatMap(({ attack, refusals }) => refusals.filter(each => /DEADLINE_EXCEEDED: Deadline exceeded/.test(each)).map(each => `${attack}: a call was not answered: ${each}`)))
    // What a client prints: gRPC hands the shim's words on as they are.
    found.push(...this.outcomes.filter(({ refusals }) => refusals.some(each => unsafe.test(each))).map(({ attack }) => `${attack}: a control character stands in an error`))
    const foreign = this.record.all.filter(event => !this.#known.has(event.containerId))
    found.push(...foreign.map(event => `an event ${event.topic} of ${JSON.stringify(event.containerId)}`))
    found.push(...this.record.of(this.victim.containerId).filter(event => event.topic !== '/tasks/start').map(event => `the neighbour had an event ${event.topic}`))
    if ((await this.victim.state()).status !== 'RUNNING') found.push('the neighbour does not run any more')
    found.push(...this.#logViolations())
    // Cgroups are the host's: other test processes on it have theirs.
    await expectNothingLeft(this.stack, this.before, new RegExp(`e2e-(?!${process.pid}-)\\d+-`)).catch((error: unknown) => found.push(words(error)))
    return found
  }

  #logViolations(): string[] {
    const log = this.#newLog()
    const found: string[] = []
    if (unsafe.test(log)) found.push('a control character stands in the log')
    const bytes = new Map<string, number>()
    for (const line of log.split('\n').filter(each => each !== '' && !/^time="/.test(each))) {
      const sandbox = sandboxOf(line)
      if (sandbox === undefined || !this.#known.has(sandbox)) found.push(`a log line that is none of the shim's: ${line.slice(0, 100)}`)
      else bytes.set(sandbox, (bytes.get(sandbox) ?? 0) + line.length)
    }
    for (const { attack, id } of this.outcomes) if ((bytes.get(id) ?? 0) > logBytesMax) found.push(`${attack}: ${bytes.get(id)} bytes of log`)
    return found
  }

  /** `largest shim 12 MiB; oversize-frame: …`. */
  summary(): string {
    const largest = Math.max(...this.outcomes.map(({ residentKib }) => residentKib ?? 0))
    const statuses = [...new Set(this.outcomes.map(({ status }) => status ?? 'refused'))].join(', ')
    const [onHost, inGuests] = [this.#onHost.size, this.#fromGuests]
    const from = `attacks: ${[...onHost > 0 ? [`${onHost} by a double on the host`] : [], ...inGuests > 0 ? [`${inGuests} from real guests`] : []].join(', ')}`
    return `${from}: every call answered, no trace on the host, largest shim ${Math.round(largest / 1024)} MiB, exit status ${statuses}`
  }
}

/** Waits for what other processes are on their way to. */
async function until(condition: () => boolean, otherwise: string): Promise<void> {
  for (const end = Date.now() + answerLimitMs; !condition();) {
    if (Date.now() > end) throw new Error(otherwise)
    await new Promise(resolve => setTimeout(resolve, 50))
  }
}

function sandboxOf(line: string): string | undefined {
  try {
    const { sandbox, msg } = JSON.parse(line) as { sandbox?: unknown; msg?: unknown } // a line of the shim's log has both
    return typeof sandbox === 'string' && typeof msg === 'string' ? sandbox : undefined
  } catch {
    return undefined
  }
}

const words = (error: unknown): string => (error instanceof Error ? error.message : String(error))
