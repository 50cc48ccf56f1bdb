import * as sys from 'native:sys'
import { AT_FDCWD } from '../../../../native/ts/constants/fcntl.ts'
import type { Hierarchy } from '../../../../native/ts/cgroup-mounts.ts'
import { SIGKILL } from '../../../../native/ts/constants/signal.ts'
import { E, SysError } from '../../../../native/ts/errno.ts'
import { sleep } from '../../../../native/ts/clock.ts'
import { removeDirectory, writeKernelFile } from '../../../../native/ts/file.ts'
import type { LinuxResources } from '../../../../protocol/oci/resources.ts'
import type { Cgroup, CgroupMountSource, ContainerStats } from '../cgroup.ts'
import { CgroupTasks } from '../tasks.ts'
import { removeTreeOf, takeDirectory, treeOf } from '../tree.ts'
import { readIfAny, readPids } from '../values.ts'
import { watchOomControl } from './oom.ts'
import { applySettings } from './settings.ts'
import { readStats } from './stats.ts'

/** How often a freezing cgroup is looked at: cgroup v1 tells of it in no other way. */
const pollMs = 2

/** A control group of version 1: the same path in every hierarchy (Documentation/admin-guide/cgroup-v1/). */
export class CgroupV1 implements Cgroup {
  readonly #hierarchies: readonly Hierarchy[]
  readonly #path: string

  constructor(hierarchies: readonly Hierarchy[], path: string) {
    this.#hierarchies = hierarchies
    this.#path = path
  }

  get directories(): readonly string[] {
    return this.#hierarchies.map(({ mountPoint }) => `${mountPoint}${this.#path}`)
  }

  create(shared = false): void {
    const made: string[] = []
    try {
      for (const { mountPoint, controllers } of this.#hierarchies) this.#createIn(mountPoint, controllers.includes('cpuset'), made, shared)
    } catch (error) {
      for (const directory of made.reverse()) removeDirectory(directory)
      throw error
    }
  }

  #createIn(mountPoint: string, cpuset: boolean, made: string[], shared: boolean): void {
    const names = this.#path.split('/').filter(Boolean)
    let at = mountPoint
    for (const [index, name] of names.entries()) {
      const parent = at
      at = `${at}/${name}`
      const last = index === names.length - 1
      if (last && !shared) takeDirectory(at)
      else if (!makeIfMissing(at)) continue
      if (last) made.push(at)
      // A new cpuset has neither CPUs nor memory nodes, and takes no process until it has both (cpusets.rst).
      if (cpuset) for (const file of ['cpuset.cpus', 'cpuset.mems']) writeKernelFile(`${at}/${file}`, (readIfAny(`${parent}/${file}`) ?? '').trim())
    }
  }

  giveTo(): void {}

  apply(resources: LinuxResources): void {
    applySettings(resources, controller => this.#directoryOf(controller))
  }

  openForClone(): undefined {
    return undefined
  }

  openTasks(): CgroupTasks {
    return new CgroupTasks(this.directories)
  }

  enter(pid: number): void {
    for (const directory of this.directories) writeKernelFile(`${directory}/cgroup.procs`, `${pid}`)
  }

  async freeze(): Promise<void> {
    await this.#setFrozen('FROZEN')
  }

  async thaw(): Promise<void> {
    await this.#setFrozen('THAWED')
  }

  frozen(): boolean {
    return this.#freezerState() !== 'THAWED'
  }

  killAll(signal: number): void {
    if (signal !== SIGKILL) {
      for (const pid of this.pids()) sys.kill(pid, signal)
      return
    }
    // Frozen processes do not fork away from the list; thawed, they die of the signal that waits for them.
    this.#setFreezer('FROZEN')
    for (const pid of this.pids()) sys.kill(pid, signal)
    this.#setFreezer('THAWED')
  }

  pids(): number[] {
    const directory = this.#directoryOf('freezer') ?? this.#directoryOf('pids') ?? this.directories[0]
    return directory === undefined ? [] : treeOf(directory).flatMap(each => readPids(`${each}/cgroup.procs`))
  }

  stats(): ContainerStats {
    return readStats(controller => this.#directoryOf(controller))
  }

  watchOom(onOom: () => void): () => void {
    const memory = this.#directoryOf('memory')
    return memory === undefined ? () => undefined : watchOomControl(memory, onOom)
  }

  async delete(): Promise<void> {
    for (const directory of this.directories) await removeTreeOf(directory)
  }

  mountSources(): CgroupMountSource[] {
    return this.#hierarchies.map(({ controllers, mountPoint }) => ({
      type: 'cgroup',
      // A hierarchy without controllers is named; it was made with `none` (cgroups.rst).
      data: controllers.every(name => name.startsWith('name=')) ? ['none', ...controllers] : [...controllers],
      directory: `${mountPoint}${this.#path}`,
      place: mountPoint.slice(mountPoint.lastIndexOf('/') + 1),
    }))
  }

  #directoryOf(controller: string): string | undefined {
    const hierarchy = this.#hierarchies.find(({ controllers }) => controllers.includes(controller))
    return hierarchy && `${hierarchy.mountPoint}${this.#path}`
  }

  /** Best effort: killing works without a freezer too. */
  #setFreezer(state: 'FROZEN' | 'THAWED'): void {
    const directory = this.#directoryOf('freezer')
    if (directory !== undefined) sys.writeFile(AT_FDCWD, `${directory}/freezer.state`, state, 0, 0)
  }

  #freezerState(): string {
    const directory = this.#directoryOf('freezer')
    return (directory === undefined ? undefined : readIfAny(`${directory}/freezer.state`)?.trim()) ?? 'THAWED'
  }

  async #setFrozen(wanted: 'FROZEN' | 'THAWED'): Promise<void> {
    const directory = this.#directoryOf('freezer')
    if (directory === undefined) throw new SysError('freeze', this.#path, E.EOPNOTSUPP, { fix: 'this host has no freezer hierarchy' })
    for (;;) {
      // A process that forks while it is being frozen keeps the state at FREEZING until it is asked again.
      writeKernelFile(`${directory}/freezer.state`, wanted)
      if (this.#freezerState() === wanted) return
      await sleep(pollMs)
    }
  }
}

/** Whether it was made now. */
function makeIfMissing(directory: string): boolean {
  const made = sys.mkdirat(AT_FDCWD, directory, 0o755)
  if (made < 0 && made !== -E.EEXIST) throw new SysError('mkdir', directory, -made)
  return made >= 0
}
