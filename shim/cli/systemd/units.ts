/** Scopes of systemd (org.freedesktop.systemd1(5)): a unit of processes that it did not start itself. */
import { within } from '../../../native/ts/clock.ts'
import { Fault } from '../../../native/ts/fault.ts'
import type { Value, Variant } from '../../../protocol/dbus/value.ts'
import { connectToSystemd } from './address.ts'
import { type Bus, BusFault } from './bus.ts'

/** One property of a unit. */
export interface Property {
  name: string
  signature: string
  value: Value
}

/** As much of a Bus as is used here. */
export type Conversation = Pick<Bus, 'call' | 'close' | 'onClose' | 'onSignal'>

const jobLimitMs = 30_000
const service = 'org.freedesktop.systemd1'
const object = { destination: service, path: '/org/freedesktop/systemd1' }

const written = (properties: readonly Property[]) => properties.map(({ name, signature, value }) => [name, { signature, value }])
const isError = (error: unknown, ...names: string[]) => error instanceof BusFault && names.some(name => error.errorName === `${service}.${name}`)

export class Units {
  /** Results of jobs that have ended, by their object path: the news may come before the answer that names the job. */
  readonly #ended = new Map<string, string>()
  readonly #waiting = new Map<string, (result: string) => void>()

  /** Takes ownership of the bus. */
  constructor(private readonly bus: Conversation) {
    bus.onSignal = ({ member, body: [, job, , result] }) => {
      if (member !== 'JobRemoved') return
      const tell = this.#waiting.get(String(job))
      if (tell) tell(String(result))
      else this.#ended.set(String(job), String(result))
    }
  }

  /** The caller owns the result. */
  static async connect(): Promise<Units> {
    return new Units(await connectToSystemd())
  }

  [Symbol.dispose](): void {
    this.bus.close()
  }

  /** The cgroup below which this systemd makes all of its own; empty: the root of the hierarchy. */
  async controlGroup(): Promise<string> {
    const [held] = await this.bus.call({ ...object, interface: 'org.freedesktop.DBus.Properties', member: 'Get', signature: 'ss', body: [`${service}.Manager`, 'ControlGroup'] })
    return String((held as Variant).value).replace(/\/+$/, '') // a variant, by the method's signature
  }

  /** Resolves when the scope stands. One of the same name that failed and was never looked at is forgotten first. */
  async startScope(name: string, properties: readonly Property[]): Promise<void> {
    const start = () => this.#job(name, 'StartTransientUnit', 'ssa(sv)a(sa(sv))', [name, 'replace', written(properties), []])
    const result = await start().catch(async (error: unknown) => {
      if (!isError(error, 'UnitExists')) throw error
      await this.#forget(name)
      return start()
    })
    if (result === 'done') return
    await this.#forget(name)
    throw new Fault(`systemd could not start ${name}: its job ended with ${JSON.stringify(result)}`, { fix: `see journalctl --unit ${name}` })
  }

  /** Until the next boot, as the unit itself is. */
  async setProperties(name: string, properties: readonly Property[]): Promise<void> {
    if (properties.length > 0) await this.#manage('SetUnitProperties', 'sba(sv)', [name, true, written(properties)])
  }

  /** Resolves when the unit is gone; one that ended with its last process is gone already. */
  async stop(name: string): Promise<void> {
    try {
      await this.#job(name, 'StopUnit', 'ss', [name, 'replace'])
    } catch (error) {
      if (!isError(error, 'NoSuchUnit')) throw error
    }
    await this.#forget(name)
  }

  async #forget(name: string): Promise<void> {
    await this.#manage('ResetFailedUnit', 's', [name]).catch((error: unknown) => {
      if (!(error instanceof BusFault)) throw error // one that did not fail has nothing to be reset
    })
  }

  #manage(member: string, signature: string, body: readonly Value[]): Promise<readonly Value[]> {
    return this.bus.call({ ...object, interface: `${service}.Manager`, member, signature, body })
  }

  async #job(unit: string, member: string, signature: string, body: readonly Value[]): Promise<string> {
    const [path] = await this.#manage(member, signature, body)
    const job = String(path)
    const ended = this.#ended.get(job)
    if (ended !== undefined) return ended
    const result = new Promise<string>((resolve, reject) => {
      this.#waiting.set(job, resolve)
      this.bus.onClose(reject)
    })
    return within(result, jobLimitMs, `${member} of ${unit}`, 'see systemctl list-jobs')
  }
}
