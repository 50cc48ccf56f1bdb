import * as sys from 'native:sys'
import { cgroupMounts, type CgroupMounts } from '../../native/ts/cgroup-mounts.ts'
import { sleep } from '../../native/ts/clock.ts'
import { AT_FDCWD } from '../../native/ts/constants/fcntl.ts'
import { enterCgroup } from '../../native/ts/enter-cgroup.ts'
import { E, isErrno, SysError } from '../../native/ts/errno.ts'
import { exists, readText, removeDirectory, writeKernelFile } from '../../native/ts/file.ts'
import type { Journal } from '../journal.ts'
import { DaemonGroup, shimGroup } from './daemon-group.ts'
import type { Cpuset } from './host-cpuset.ts'

/** A killed VMM frees its memory before it leaves its cgroup. */
const leaveLimitMs = 3_000
const retryMs = 5

/** One hierarchy's share of it. */
interface Place {
  /** Of the hierarchy. */
  root: string
  /** The sandbox's directory. */
  directory: string
  /** Where this process was before. */
  former: string
  /** Made by us, so ours to remove. */
  made: boolean
  /** Of a v1 hierarchy. */
  controllers: readonly string[]
  /** The hierarchy that has cpusets: v1's of that name, or the unified one. */
  cpuset: 'v1' | 'v2' | undefined
}

/**
 * The control group of a sandbox on the host. Everything that runs for the sandbox is in it: the shim enters before it
 * starts anything, so VMM and daemons are born there. It sets no limits on the whole: a pod's are on the group above, which kubelet makes
 * with the RuntimeClass's overhead in them; the containers' own hold in the guest. VMM and daemons have limits of their own, far above what a
 * guest in order makes them use: they are for one that was taken over (daemon-group.ts).
 *
 *   kubepods/burstable/pod<uid>     limits, by kubelet
 *     └─ <sandbox id>               shim, and what has no group of its own below
 *          ├─ vmm                   VMM, vsock daemon
 *          └─ virtiofsd
 */
export class HostCgroup {
  readonly #places: Place[] = []
  readonly #groups: string[] = []

  /** Path below the root of each hierarchy. */
  constructor(readonly path: string) {}

  /**
   * Makes the directories and moves this process into them. On a host without cgroups it does nothing.
   * Throws SysError; what was made by then is for `leave` to remove.
   */
  enter(journal: Journal, mountinfo = readText('/proc/self/mountinfo')): void {
    const membership = readText('/proc/self/cgroup', 64 * 1024)
    for (const { root, name } of roots(cgroupMounts(mountinfo))) {
      const place = { root, directory: `${root}${this.path}`, former: `${root}${pathIn(membership, name)}`, made: false, controllers: name.split(',').filter(Boolean), cpuset: cpusetVersion(name) }
      this.#places.push(place)
      place.made = this.#make(root, name, journal)
      enterCgroup(place.directory)
    }
  }

  /** Makes a group for daemons below the sandbox's own; `leave` removes it. Call it before there is any other process. Throws SysError. */
  group(name: string, tasks: number, journal: Journal): DaemonGroup {
    for (const { directory } of this.#places) this.#groups.push(`${directory}/${name}`)
    return DaemonGroup.make(this.#places, name, tasks, journal)
  }

  /** Binds all processes of the sandbox to CPUs and memory nodes of the host; empty: to those of the group above. Throws SysError. */
  bind({ cpus, mems }: Cpuset): void {
    for (const { directory, cpuset } of this.#places) {
      if (cpuset === undefined) continue
      const parent = directory.slice(0, directory.lastIndexOf('/'))
      // The group above has no process of its own, so it may hand the controller down (cgroup-v2.rst, "No Internal Process Constraint").
      if (cpuset === 'v2' && !exists(`${directory}/cpuset.cpus`)) writeKernelFile(`${parent}/cgroup.subtree_control`, '+cpuset')
      for (const [file, list] of [['cpuset.cpus', cpus], ['cpuset.mems', mems]] as const) {
        // A v1 cpuset is never empty while a process is in it; a v2 one that is empty has what its parent has, a lone newline says so.
        const free = cpuset === 'v1' ? readText(`${parent}/${file}`, 64 * 1024).trim() : '\n'
        writeKernelFile(`${directory}/${file}`, list || free)
      }
    }
  }

  /** Moves this process back to where it came from, and removes what was made. Rejects when something stays. */
  async leave(): Promise<void> {
    for (const place of this.#places) returnFrom(place)
    for (const directory of this.#below()) await removeWhenEmpty(directory)
    for (const { directory, made } of this.#places) if (made) await removeWhenEmpty(directory)
  }

  /** As leave, where nothing else has been in it yet. */
  leaveNow(): void {
    for (const place of this.#places) returnFrom(place)
    for (const directory of this.#below()) removeDirectory(directory)
    for (const { directory, made } of this.#places) if (made) removeDirectory(directory)
  }

  /** Groups below the sandbox's own; most are in two hierarchies only. */
  #below(): string[] {
    return [...this.#groups, ...this.#places.map(({ directory }) => shimGroup(directory))].filter(exists)
  }

  /** True when the directory is ours. One that is there already is entered and left alone: it belongs to whoever made it. */
  #make(root: string, name: string, journal: Journal): boolean {
    const names = this.path.split('/').filter(Boolean)
    let at = root
    let made = false
    for (const [index, each] of names.entries()) {
      const parent = at
      at = `${at}/${each}`
      if (exists(at)) continue
      made = index === names.length - 1
      // Parents stay, as with every runtime: others may be making theirs in them right now.
      if (made) journal.record({ kind: 'cgroup', path: at })
      makeDirectory(at)
      // A new cpuset has neither CPUs nor memory nodes, and takes no process until it has both (cpusets.rst).
      if (cpusetVersion(name) === 'v1') for (const file of ['cpuset.cpus', 'cpuset.mems']) writeKernelFile(`${at}/${file}`, readText(`${parent}/${file}`, 64 * 1024).trim())
    }
    return made
  }
}

/** The hierarchies that count: v1 ones with their controllers' names, or the unified one, whose name is empty (cgroups(7)). */
function roots({ v1, v2 }: CgroupMounts): { root: string; name: string }[] {
  if (v1.length > 0) return v1.map(({ mountPoint, controllers }) => ({ root: mountPoint, name: controllers.join(',') }))
  return v2 === undefined ? [] : [{ root: v2, name: '' }]
}

function cpusetVersion(name: string): Place['cpuset'] {
  if (name === '') return 'v2'
  return name.split(',').includes('cpuset') ? 'v1' : undefined
}

/** This process's path in the hierarchy of `name`, of /proc/self/cgroup: lines of `id:controllers:path`. */
function pathIn(membership: string, name: string): string {
  for (const line of membership.split('\n')) {
    const [, controllers = '', path = ''] = /^\d+:([^:]*):(.*)$/.exec(line) ?? []
    const same = name === '' ? controllers === '' : controllers.split(',').includes(name.split(',')[0] ?? '')
    if (same) return path === '/' ? '' : path
  }
  return ''
}

function makeDirectory(path: string): void {
  const result = sys.mkdirat(AT_FDCWD, path, 0o755)
  if (result < 0 && result !== -E.EEXIST) throw new SysError('mkdir', path, -result, { fix: 'a sandbox needs a writable cgroup file system' })
}

/** containerd's own group may be gone meanwhile: then it is the root, which takes every process. */
function returnFrom({ root, former }: Place): void {
  try {
    enterCgroup(former)
  } catch (error) {
    if (!isErrno(error, E.ENOENT, E.ENODEV)) throw error
    enterCgroup(root)
  }
}

async function removeWhenEmpty(directory: string): Promise<void> {
  for (let waitedMs = 0; ; waitedMs += retryMs) {
    try {
      removeDirectory(directory)
      return
    } catch (error) {
      if (!isErrno(error, E.EBUSY) || waitedMs >= leaveLimitMs) throw error
      await sleep(retryMs)
    }
  }
}
