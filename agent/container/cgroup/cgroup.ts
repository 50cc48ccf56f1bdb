import type { Fd } from '../../../native/ts/fd.ts'
import type { LinuxResources } from '../../../protocol/oci/resources.ts'
import type { CgroupTasks } from './tasks.ts'

/** What a container's mount of type cgroup shows, of one hierarchy. */
export interface CgroupMountSource {
  /** File system type: cgroup or cgroup2. */
  type: 'cgroup' | 'cgroup2'
  /** Mount data: the controllers of a v1 hierarchy. */
  data: string[]
  /** The container's directory in the runtime's view. */
  directory: string
  /** Where it lies below the mount point; empty: on it. */
  place: string
}

/** Figures of a container, as the kernel keeps them; absent where the hierarchy has none. */
export interface ContainerStats {
  cpu: { usageUsec: number; userUsec: number; systemUsec: number; periods: number; throttledPeriods: number; throttledUsec: number }
  memory: {
    usageBytes: number; maxUsageBytes: number
    /** 0: no limit. */
    limitBytes: number
    swapUsageBytes: number; swapLimitBytes: number
    /** memory.stat and memory.events, by their own key names. */
    stat: Record<string, number>; events: Record<string, number>
  }
  /** limit 0: none. */
  pids: { current: number; limit: number }
  io: { major: number; minor: number; readBytes: number; writeBytes: number; reads: number; writes: number }[]
  hugetlb: { pageSize: string; usageBytes: number; maxBytes: number; failures: number }[]
}

/** A container's control group, whatever the version of the hierarchies. */
export interface Cgroup {
  /** Directories in the runtime's view, one for each hierarchy. */
  readonly directories: readonly string[]
  /** Whether it stands only once a process has entered (a scope of systemd's): what looks at its directories waits for that. */
  readonly bornOfEntering?: boolean
  /** Makes the directories. What was made is removed when one of them fails. `shared`: those are taken, too, that hold processes. */
  create(shared?: boolean): void
  /** Lets `uid` (the host's) make cgroups below it and move processes between them. Nothing happens on version 1, which knows no delegation. */
  giveTo(uid: number): void
  /** Sets limits; keys that are absent stay as they are. `devices`: the whole list, defaults included. */
  apply(resources: LinuxResources): void | Promise<void>
  /**
   * cgroup v2: the directory, opened for clone3(2); with `peer`, a process of the container, the one below it that the
   * container has put that process in.
   */
  openForClone(peer?: number): Fd | undefined
  /** cgroup v1: what a process that is cloned puts itself in by; the caller's. */
  openTasks(): CgroupTasks | undefined
  /** Puts a process in, beside `peer` as openForClone does. */
  enter(pid: number, peer?: number): void | Promise<void>
  /** Resolves when every process is frozen (thawed). */
  freeze(): Promise<void>
  thaw(): Promise<void>
  frozen(): boolean
  /** Sends a signal to every process, below it too. */
  killAll(signal: number): void
  /** Processes in it and below, in the runtime's pid namespace. */
  pids(): number[]
  stats(): ContainerStats
  /** Calls `onOom` after each OOM kill; gives the end of the watch. */
  watchOom(onOom: () => void): () => void
  /** Removes the directories once the processes are gone. Rejects when they do not go. */
  delete(): Promise<void>
  mountSources(): CgroupMountSource[]
}
