import * as sys from 'native:sys'
import { AT_FDCWD, O_DIRECTORY, O_PATH } from '../../../../native/ts/constants/fcntl.ts'
import { SIGKILL } from '../../../../native/ts/constants/signal.ts'
import { check, E, isErrno, SysError } from '../../../../native/ts/errno.ts'
import { type Fd, open } from '../../../../native/ts/fd.ts'
import { writeKernelFile } from '../../../../native/ts/file.ts'
import type { LinuxDeviceCgroup, LinuxResources } from '../../../../protocol/oci/resources.ts'
import type { Cgroup, CgroupMountSource, ContainerStats } from '../cgroup.ts'
import { removeTreeOf, takeDirectory, treeOf } from '../tree.ts'
import { readIfAny, readPids, readTable } from '../values.ts'
import { attachDeviceProgram } from './device-program.ts'
import { watchEvents } from './events.ts'
import { settings } from './settings.ts'
import { readStats } from './stats.ts'

/** chown(2): the group stays as it is. */
const keepGroup = 0xffff_ffff

/** A control group of the unified hierarchy (Documentation/admin-guide/cgroup-v2.rst). */
export class CgroupV2 implements Cgroup {
  readonly #directory: string
  readonly #mountPoint: string
  readonly #path: string
  /** The device program in force, which the next one replaces. */
  #devices: Fd | undefined

  /**
   * `path`: absolute, below `mountPoint`. `devicesOptional`: device rules are left out where this process may not load their
   * program. Who may not has no rights over devices either, and can make no node of one.
   */
  constructor(mountPoint: string, path: string, private readonly devicesOptional = false) {
    this.#mountPoint = mountPoint
    this.#path = path
    this.#directory = `${mountPoint}${path}`
  }

  get directories(): readonly string[] {
    return [this.#directory]
  }

  create(shared = false): void {
    const names = this.#path.split('/').filter(Boolean)
    let at = this.#mountPoint
    for (const [index, name] of names.entries()) {
      // Controllers are had below a cgroup only once it gives them on, so from the root down.
      giveControllersOn(at)
      at = `${at}/${name}`
      if (shared || index < names.length - 1) makeIfMissing(at)
      else takeDirectory(at)
    }
  }

  giveTo(uid: number): void {
    // Which files go with a directory is the kernel's to say (cgroup-v2.rst, "Model of Delegation").
    const files = (readIfAny('/sys/kernel/cgroup/delegate') ?? 'cgroup.procs\ncgroup.threads\ncgroup.subtree_control\n').split('\n').filter(Boolean)
    for (const path of [this.#directory, ...files.map(file => `${this.#directory}/${file}`)]) {
      const given = sys.fchownat(AT_FDCWD, path, uid, keepGroup, 0)
      // A controller that the cgroup does not have.
      if (given !== -E.ENOENT) check('chown', path, given)
    }
  }

  apply(resources: LinuxResources): void {
    for (const { file, value, optional } of settings(resources, file => this.#read(file))) {
      try {
        writeKernelFile(`${this.#directory}/${file}`, value)
      } catch (error) {
        if (optional && isErrno(error, E.ENOENT, E.EOPNOTSUPP)) continue
        if (isErrno(error, E.ENOENT)) throw new SysError(error.call, error.object, error.errno, { fix: `this kernel's cgroup has no ${file}` })
        throw error
      }
    }
    if (resources.devices) this.#applyDevices(resources.devices)
  }

  #applyDevices(rules: readonly LinuxDeviceCgroup[]): void {
    try {
      this.#devices = attachDeviceProgram(this.#directory, rules, this.#devices)
    } catch (error) {
      if (!this.devicesOptional || !isErrno(error, E.EPERM)) throw error
    }
  }

  openForClone(peer?: number): Fd {
    return open(peer === undefined ? this.#directory : this.#placeBeside(peer), O_PATH | O_DIRECTORY)
  }

  /**
   * Where a process is put beside `peer`. A container with a writable cgroup (systemd, a container engine) moves its first
   * process further down and gives controllers on. From then on its own cgroup takes no process, and before that a process
   * in it would keep the container from it ("No Internal Process Constraint").
   */
  #placeBeside(peer: number): string {
    const path = readIfAny(`/proc/${peer}/cgroup`)?.split('\n').find(line => line.startsWith('0::'))?.slice('0::'.length) ?? ''
    // Names come from the container: only a place below its own is taken.
    const isBelow = path.startsWith(`${this.#path}/`) && !path.split('/').includes('..')
    return isBelow ? `${this.#mountPoint}${path}` : this.#directory
  }

  openTasks(): undefined {
    return undefined
  }

  enter(pid: number, peer?: number): void {
    writeKernelFile(`${peer === undefined ? this.#directory : this.#placeBeside(peer)}/cgroup.procs`, `${pid}`)
  }

  async freeze(): Promise<void> {
    writeKernelFile(`${this.#directory}/cgroup.freeze`, '1')
    await this.#whenFrozen(1)
  }

  async thaw(): Promise<void> {
    writeKernelFile(`${this.#directory}/cgroup.freeze`, '0')
    await this.#whenFrozen(0)
  }

  frozen(): boolean {
    return readTable(`${this.#directory}/cgroup.events`).frozen === 1
  }

  killAll(signal: number): void {
    // cgroup.kill (Linux 5.14) reaches processes that fork faster than they could be listed.
    if (signal === SIGKILL && this.#tryWrite('cgroup.kill', '1')) return
    for (const pid of this.pids()) sys.kill(pid, signal)
  }

  pids(): number[] {
    return treeOf(this.#directory).flatMap(directory => readPids(`${directory}/cgroup.procs`))
  }

  stats(): ContainerStats {
    return readStats(this.#directory)
  }

  watchOom(onOom: () => void): () => void {
    const kills = () => readTable(`${this.#directory}/memory.events`).oom_kill ?? 0
    let seen = kills()
    return watchEvents(`${this.#directory}/memory.events`, () => {
      const now = kills()
      for (; seen < now; seen++) onOom()
    })
  }

  async delete(): Promise<void> {
    this.#devices?.close()
    this.#devices = undefined
    await removeTreeOf(this.#directory)
  }

  mountSources(): CgroupMountSource[] {
    return [{ type: 'cgroup2', data: [], directory: this.#directory, place: '' }]
  }

  #read(file: string): string | undefined {
    return readIfAny(`${this.#directory}/${file}`)
  }

  #tryWrite(file: string, value: string): boolean {
    return sys.writeFile(AT_FDCWD, `${this.#directory}/${file}`, value, 0, 0) >= 0
  }

  /** The kernel tells of the change by a modification of cgroup.events. */
  async #whenFrozen(wanted: 0 | 1): Promise<void> {
    const events = `${this.#directory}/cgroup.events`
    await new Promise<void>(resolve => {
      const stop = watchEvents(events, () => {
        if ((readTable(events).frozen ?? wanted) !== wanted) return
        stop()
        resolve()
      })
    })
  }
}

function makeIfMissing(directory: string): void {
  const made = sys.mkdirat(AT_FDCWD, directory, 0o755)
  if (made < 0 && made !== -E.EEXIST) throw new SysError('mkdir', directory, -made)
}

/** Enables below `directory` what it has itself. One by one: a controller that cannot be given must not keep the others. */
function giveControllersOn(directory: string): void {
  const given = new Set((readIfAny(`${directory}/cgroup.subtree_control`) ?? '').trim().split(' '))
  const available = (readIfAny(`${directory}/cgroup.controllers`) ?? '').trim().split(' ').filter(Boolean)
  for (const controller of available) {
    if (!given.has(controller)) sys.writeFile(AT_FDCWD, `${directory}/cgroup.subtree_control`, `+${controller}`, 0, 0)
  }
}

