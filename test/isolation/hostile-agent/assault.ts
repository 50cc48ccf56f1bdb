/** Real shims whose agent is the hostile double, and what is required of each of them. */
import { execFileSync } from 'node:child_process'
import { existsSync, linkSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { onTestFinished } from 'vitest'
import { writeCpio } from '../../../guest-image/cpio.ts'
import { initrdEntries } from '../../../guest-image/initrd.ts'
import type { EventRecord } from '../../e2e/containerd/client.ts'
import { Container, type ContainerOptions } from '../../e2e/container.ts'
import { expectNothingLeft, processesNamed, takeInventory, type Inventory } from '../../e2e/leaks.ts'
import { checkout, type Stack } from '../../e2e/stack.ts'
import { contained, controlRuntime, escaped, type Verdict } from '../attack.ts'
import { oursRuntime } from '../options.ts'
import type { Site } from '../site.ts'

/** What no call to containerd may take: many times the shim's own deadlines below. No figure is asserted but this. */
const answerLimitMs = 30_000
/** The shim's deadlines: short, so that a suite of silences ends. */
const deadlines = ['timeout_ms = 4000', 'create_timeout_ms = 1500', 'call_timeout_ms = 400', 'kill_timeout_ms = 600', 'output_timeout_ms = 1500'].join('\n')
/** DESIGN: whatever the guest sends, its shim stays within this. */
const residentKibMax = 64 * 1024
/** Of one sandbox in containerd's log: a burst, some seconds of the sustained rate, and the shim's own lines. */
const logBytesMax = 512 * 1024

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
  readonly #logFrom: number
  #layer = 0

  private constructor(private readonly site: Site, readonly stack: Stack, readonly victim: Container, private readonly record: EventRecord, private readonly before: Inventory) {
    this.#logFrom = statSync(this.#logPath).size
    this.#known.add(victim.containerId).add('p') // the record's own probe
  }

  static async begin(site: Site): Promise<Assault> {
    const { stack } = site.host
    if (!stack) throw new Error('the agent of a shim is replaced by its configuration: only on the private containerd')
    const victim = await Container.create(site.host, { runtimeName: controlRuntime })
    await victim.start()
    writeFileSync(`${site.directory}/victim`, victim.containerId)
    const record = await stack.client.recordEvents()
    onTestFinished(() => record.close())
    return new Assault(site, stack, victim, record, takeInventory(stack))
  }

  get #logPath(): string {
    return `${this.stack.directory}/containerd.log`
  }

  #newLog(): string {
    return readFileSync(this.#logPath).subarray(this.#logFrom).toString()
  }

  /** Runs each attack in a shim of its own: containers are made one after the other, then all at once asked, killed and deleted. `more`: what else happens to the container of an attack. */
  async run(attacks: readonly string[], more: Readonly<Record<string, Then>> = {}): Promise<void> {
    const running: Promise<void>[] = []
    for (const attack of attacks) {
      const path = linkDouble(this.site, attack)
      this.#onHost.add(attack)
      const container = await this.#make(`[hypervisor]\ntype = "none"\n[agent]\npath = "${path}"\n${deadlines}`)
      running.push(this.#finish(attack, container, more[attack]))
    }
    await Promise.all(running)
  }

  /** Boots a guest whose PID 1 is the attacker, in a real VM, with the shim's usual deadlines. Gives what the attacker told of it. */
  async runInGuest(attack: string, { options, before, after }: GuestAttack = {}): Promise<string> {
    const initrd = `${this.site.directory}/hostile.cpio`
    writeFileSync(initrd, writeCpio(initrdEntries(readFileSync(buildDouble('guest-agent')))))
    const made = await this.#make(`[guest]\ninitrd = "${initrd}"\nkernel_params = "kata_ts.attack=${attack}"\n[agent]\ncall_timeout_ms = 20000\n`, options)
    if (made.refusal === undefined) await before?.(made.container)
    let told = ''
    await this.#finish(attack, made, async (container) => {
      for (const end = Date.now() + answerLimitMs; told === '' && Date.now() < end;) {
        told = /"msg":"attacked: ([^"]*)"/.exec(this.#newLog().split('\n').find(each => each.includes(container.containerId) && each.includes('attacked: ')) ?? '')?.[1] ?? ''
        if (told === '') await new Promise(resolve => setTimeout(resolve, 50))
      }
      await after?.(container)
    })
    if (told === '') throw new Error(`the guest did not tell of its attack: ${this.outcomes.at(-1)?.refusals.join('; ')}`)
    return told
  }

  /** A task, or why there is none, of a shim with this further configuration. */
  async #make(toml: string, options: ContainerOptions = {}): Promise<{ container: Container; refusal?: string }> {
    const layer = `${this.stack.directory}/kata-ts/config.d/95-hostile-${this.#layer++}.toml`
    writeFileSync(layer, toml)
    const forget = (): void => rmSync(layer, { force: true })
    onTestFinished(forget)
    const container = await Container.prepare(this.site.host, { runtimeName: oursRuntime }, options)
    this.#known.add(container.containerId)
    const made = await container.createTask().then(() => ({ container }), (error: unknown) => ({ container, refusal: words(error) }))
    forget()
    return made
  }

  async #finish(attack: string, { container, refusal }: { container: Container; refusal?: string }, then?: Then): Promise<void> {
    const id = container.containerId
    const refusals = refusal === undefined ? [] : [refusal]
    const noting = (call: Promise<unknown>): Promise<unknown> => call.catch((error: unknown) => { refusals.push(words(error)) })
    if (refusal !== undefined) {
      this.outcomes.push({ attack, id, residentKib: 0, status: undefined, refusals })
      return container.remove()
    }
    const { client } = this.stack
    await noting(client.call('tasks.Start', { container_id: id, exec_id: '' }, answerLimitMs))
    await noting(client.call('tasks.Metrics', { filters: [`id==${id}`] }, answerLimitMs))
    if (then) await noting(then(container))
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
    if (/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/.test(log)) found.push('a control character stands in the log')
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
    return `${this.outcomes.length} attacks: every call answered, no trace on the host, largest shim ${Math.round(largest / 1024)} MiB, exit status ${statuses}`
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
