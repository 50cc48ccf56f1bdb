import * as sys from 'native:sys'
import { AT_FDCWD } from '../../native/ts/constants/fcntl.ts'
import { enterCgroup } from '../../native/ts/enter-cgroup.ts'
import { E, isErrno, SysError } from '../../native/ts/errno.ts'
import { exists, readText, readTextIfPresent, writeKernelFile } from '../../native/ts/file.ts'
import type { Journal } from '../journal.ts'

/** A sandbox's directory in one hierarchy, in which its groups lie. */
export interface GroupPlace {
  /** Of the hierarchy. */
  root: string
  /** The sandbox's. */
  directory: string
  /** Controllers of a v1 hierarchy; the unified one has none in its name. */
  controllers: readonly string[]
}

/**
 * Processes of a sandbox with limits of their own: what a VMM or daemon that was taken over could use up of its host.
 *
 *   v1   <sandbox>/<name>   in the hierarchies memory and pids
 *   v2   <sandbox>/<name>   beside <sandbox>/shim: a group that hands controllers down has no process of its own
 */
export class DaemonGroup {
  readonly #memory: string[] = []
  #memoryBytes = 0

  private constructor(readonly directories: readonly string[], readonly missing: readonly string[]) {}

  /**
   * Makes it, with a limit of processes and threads (0: none). Controllers that the host does not have, or does not hand down to
   * the sandbox, are in `missing`. Throws SysError; what was made by then is in the journal.
   */
  static make(places: readonly GroupPlace[], name: string, tasks: number, journal: Journal): DaemonGroup {
    const found = places.map(place => ({ place, controllers: place.controllers.length > 0 ? place.controllers : handDown(place, journal) }))
      // A v1 cpuset of a group below would stand in the way of one that the sandbox is bound to later.
      .filter(({ controllers, place }) => (controllers.includes('memory') || controllers.includes('pids')) && !place.controllers.includes('cpuset'))
    const available = new Set(found.flatMap(({ controllers }) => controllers))
    const group = new DaemonGroup(found.map(({ place }) => `${place.directory}/${name}`), ['memory', 'pids'].filter(each => !available.has(each)))
    for (const { place, controllers } of found) {
      const directory = `${place.directory}/${name}`
      makeGroup(directory, journal)
      if (controllers.includes('pids') && tasks > 0) writeKernelFile(`${directory}/pids.max`, String(tasks))
      if (controllers.includes('memory')) group.#memory.push(`${directory}/${place.controllers.length > 0 ? 'memory.limit_in_bytes' : 'memory.max'}`)
    }
    return group
  }

  /** Raises the limit of memory to `bytes`; a lower one changes nothing, since what is in use may be above it. Throws SysError. */
  allowMemory(bytes: number): void {
    if (bytes <= this.#memoryBytes) return
    for (const file of this.#memory) writeKernelFile(file, String(bytes))
    this.#memoryBytes = bytes
  }

  /** Whether the kernel has killed a process of it because of that limit (cgroup-v1/memory.rst, cgroup-v2.rst: oom_kill). */
  ranOutOfMemory(): boolean {
    return this.#memory.some(file => {
      const events = readTextIfPresent(file.replace(/[^/]+$/, file.endsWith('memory.max') ? 'memory.events' : 'memory.oom_control'), 4096)
      return Number(/^oom_kill (\d+)$/m.exec(events ?? '')?.[1] ?? 0) > 0
    })
  }
}

/** Where the shim itself is then, in the unified hierarchy. */
export function shimGroup(directory: string): string {
  return `${directory}/shim`
}

/** In the unified hierarchy, once: moves this process one group down and hands the controllers on. Gives those that the groups below have. */
function handDown({ root, directory }: GroupPlace, journal: Journal): string[] {
  const own = shimGroup(directory)
  const control = `${directory}/cgroup.subtree_control`
  if (!exists(own)) {
    makeGroup(own, journal)
    enterCgroup(own)
    for (const above of [...ancestors(root, directory), directory]) for (const name of ['+memory', '+pids']) tryWrite(`${above}/cgroup.subtree_control`, name)
  }
  return exists(control) ? readText(control, 4096).trim().split(' ') : []
}

/** From the root down to the parent. systemd and kubelet have handed on what they want to; in other places nobody has. */
function ancestors(root: string, directory: string): string[] {
  const names = directory.slice(root.length).split('/').filter(Boolean)
  return names.map((_name, index) => [root, ...names.slice(0, index)].join('/'))
}

/** A controller that is not there, or a group above with processes of its own: then there is no limit by it. */
function tryWrite(path: string, text: string): void {
  try {
    writeKernelFile(path, text)
  } catch (error) {
    if (!isErrno(error, E.ENOENT, E.EINVAL, E.EBUSY, E.EOPNOTSUPP, E.EACCES, E.EPERM)) throw error
  }
}

function makeGroup(path: string, journal: Journal): void {
  journal.record({ kind: 'cgroup', path })
  const result = sys.mkdirat(AT_FDCWD, path, 0o755)
  if (result < 0 && result !== -E.EEXIST) throw new SysError('mkdir', path, -result)
}
