import * as sys from 'native:sys'
import { AT_FDCWD } from '../../native/ts/constants/fcntl.ts'
import { E, SysError } from '../../native/ts/errno.ts'
import { readText, writeKernelFile } from '../../native/ts/file.ts'

const root = '/sys/fs/cgroup'

/** Below the hierarchy's root; the containers' own lie in it. */
export const podCgroup = '/pod'

/**
 * Kept from the containers for the kernel and the agent, whatever these ask for: buffers of the devices, page tables, the heap of an
 * agent with many streams.
 */
const reserveMib = 12
/** Tasks kept for the agent and the kernel's own threads. */
const reservedTasks = 64

/**
 * The cgroup of all containers. The agent is not in it, and it ends before the machine's memory and tasks do: so the kernel
 * looks for the cause of a shortage among the containers, and the agent can still fork, and answer, in the midst of it.
 *
 *   /            agent
 *     └─ pod     memory.max, pids.max: the machine less what the agent and the kernel need
 *          └─ <container id>
 */
export class PodCgroup {
  readonly directory = `${root}${podCgroup}`
  /** What the kernel, the image and the agent take, KiB; measured before there are containers. */
  #overheadKib = 0
  #tasks = 0

  /** Makes it, with every controller that the kernel has (cgroup-v2.rst, "Enabling and Disabling"). Throws SysError. */
  prepare(): void {
    const controllers = readText(`${root}/cgroup.controllers`).trim().split(' ').filter(Boolean).map(name => `+${name}`).join(' ')
    if (controllers !== '') writeKernelFile(`${root}/cgroup.subtree_control`, controllers)
    const made = sys.mkdirat(AT_FDCWD, this.directory, 0o755)
    if (made < 0 && made !== -E.EEXIST) throw new SysError('mkdir', this.directory, -made)
    if (controllers !== '') writeKernelFile(`${this.directory}/cgroup.subtree_control`, controllers)
    const { MemTotal = 0, MemAvailable = 0 } = readMemory()
    this.#overheadKib = Math.max(0, MemTotal - MemAvailable) + reserveMib * 1024
    this.#tasks = Math.min(...['threads-max', 'pid_max'].map(name => Number(readText(`/proc/sys/kernel/${name}`))))
    writeKernelFile(`${this.directory}/pids.max`, String(Math.max(reservedTasks, this.#tasks - reservedTasks)))
    this.refresh()
  }

  /** Fits the limit to the memory that there is now: after a resize, and when huge pages were set aside. Throws SysError. */
  refresh(): void {
    const { MemTotal = 0, Hugetlb = 0 } = readMemory()
    const kib = MemTotal - Hugetlb - this.#overheadKib
    // A machine too small for the reserve: half of it is still better than no limit.
    writeKernelFile(`${this.directory}/memory.max`, String(Math.max(kib, MemTotal >> 1) * 1024))
  }

  /** pids.max of a container that was given none: a fork bomb in one must not keep the others from forking. */
  get defaultPids(): number {
    return Math.max(reservedTasks, this.#tasks >> 1)
  }
}

/** /proc/meminfo by its own key names, KiB (proc(5)). */
export function readMemory(): Record<string, number> {
  return Object.fromEntries([...readText('/proc/meminfo').matchAll(/^(\w+):\s+(\d+) kB$/gm)].map(([, key = '', kib]) => [key, Number(kib)]))
}
