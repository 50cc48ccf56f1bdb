import type { Cgroup, CgroupMountSource, ContainerStats } from '../../../agent/container/cgroup/cgroup.ts'
import { openCgroup } from '../../../agent/container/cgroup/open.ts'
import { CgroupV2 } from '../../../agent/container/cgroup/v2/cgroup.ts'
import { cgroupMounts } from '../../../native/ts/cgroup-mounts.ts'
import { exists, readText, writeKernelFile } from '../../../native/ts/file.ts'
import type { Fd } from '../../../native/ts/fd.ts'
import type { LinuxResources } from '../../../protocol/oci/resources.ts'
import type { Property, Units } from './units.ts'

/** Where a container's cgroup is, when systemd has made it. */
export interface ScopePlace {
  unit: string
  /** Below the hierarchies' roots. */
  path: string
}

/** Loaded when it is needed: most verbs look at a cgroup without asking systemd. */
const connect = async (): Promise<Units> => (await import('./units.ts')).Units.connect()

/**
 * A control group that systemd makes and removes, as the cgroup of a scope, and that is ours for the rest (Delegate=). A scope
 * begins with its first process: it stands once that has entered.
 */
export class SystemdCgroup implements Cgroup {
  readonly bornOfEntering = true
  readonly place: ScopePlace
  readonly #cgroup: Cgroup
  /** What the scope is started with; undefined once it stands. */
  #initial: readonly Property[] | undefined
  /** What was asked of the cgroup before there was one. */
  #later: (() => void)[] = []

  private constructor(place: ScopePlace, initial?: readonly Property[], rootless = false) {
    this.place = place
    this.#cgroup = openCgroup(place.path, rootless)
    this.#initial = initial
  }

  /** One that is to be: `properties` are what systemd is told of it, besides its first process. `rootless`: of a user's systemd. */
  static planned(place: ScopePlace, properties: readonly Property[], rootless: boolean): SystemdCgroup {
    return new SystemdCgroup(place, properties, rootless)
  }

  /** One that another process made. */
  static find(place: ScopePlace): SystemdCgroup {
    return new SystemdCgroup(place)
  }

  get directories(): readonly string[] {
    return this.#cgroup.directories
  }

  create(): void {
    // systemd makes it when the first process enters.
  }

  giveTo(uid: number): void {
    this.#whenStarted(() => this.#cgroup.giveTo(uid))
  }

  /** With device rules come all that the scope was started with: systemd knows them. */
  apply(resources: LinuxResources): void | Promise<void> {
    if (this.#initial !== undefined || resources.devices) return this.#whenStarted(() => this.#cgroup.apply(resources))
    return this.#update(resources)
  }

  async #update(resources: LinuxResources): Promise<void> {
    const { resourceProperties } = await import('./resource-properties.ts')
    using units = await connect()
    await units.setProperties(this.place.unit, resourceProperties(resources, this.#cgroup instanceof CgroupV2 ? 'v2' : 'v1'))
    await this.#cgroup.apply(resources)
  }

  openForClone(peer?: number): Fd | undefined {
    return this.#initial === undefined ? this.#cgroup.openForClone(peer) : undefined
  }

  /** Nobody puts itself into a scope that does not stand yet, or into systemd's accounts (see enter). */
  openTasks(): undefined {
    return undefined
  }

  async enter(pid: number, peer?: number): Promise<void> {
    if (this.#initial !== undefined) await this.#start(this.#initial, pid)
    await this.#cgroup.enter(pid, peer)
    // Beside hierarchies of version 1 systemd keeps account of a unit's processes in the unified one (the hybrid layout).
    const { v1, v2 } = cgroupMounts(readText('/proc/self/mountinfo'))
    const account = `${v2}${this.place.path}/cgroup.procs`
    if (v1.length > 0 && v2 !== undefined && exists(account)) writeKernelFile(account, `${pid}`)
  }

  async #start(properties: readonly Property[], pid: number): Promise<void> {
    using units = await connect()
    await units.startScope(this.place.unit, [...properties, { name: 'PIDs', signature: 'au', value: [pid] }])
    this.#initial = undefined
    // With version 1 systemd leaves some hierarchies alone.
    this.#cgroup.create(true)
    for (const work of this.#later.splice(0)) work()
  }

  #whenStarted(work: () => void): void {
    if (this.#initial === undefined) work()
    else this.#later.push(work)
  }

  freeze(): Promise<void> {
    return this.#cgroup.freeze()
  }

  thaw(): Promise<void> {
    return this.#cgroup.thaw()
  }

  frozen(): boolean {
    return this.#cgroup.frozen()
  }

  killAll(signal: number): void {
    this.#cgroup.killAll(signal)
  }

  pids(): number[] {
    return this.#cgroup.pids()
  }

  stats(): ContainerStats {
    return this.#cgroup.stats()
  }

  watchOom(onOom: () => void): () => void {
    return this.#cgroup.watchOom(onOom)
  }

  /** The scope goes with its last process, or is stopped; what we made beside it is removed by us. */
  async delete(): Promise<void> {
    if (this.#initial === undefined) {
      using units = await connect()
      await units.stop(this.place.unit)
    }
    await this.#cgroup.delete()
  }

  mountSources(): CgroupMountSource[] {
    return this.#cgroup.mountSources()
  }
}
