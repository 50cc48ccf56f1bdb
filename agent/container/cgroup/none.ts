import * as sys from 'native:sys'
import { AT_FDCWD } from '../../../native/ts/constants/fcntl.ts'
import type { LinuxResources } from '../../../protocol/oci/resources.ts'
import { Fault } from '../../../native/ts/fault.ts'
import { exists } from '../../../native/ts/file.ts'
import type { Cgroup, CgroupMountSource, ContainerStats } from './cgroup.ts'

/** faccessat(2), include/uapi/linux/fcntl.h and unistd.h */
const W_OK = 2
const AT_EACCESS = 0x200

/** Whether this process may make the directories: it may write to what there is of their paths (cgroups(7), "Cgroup delegation"). */
export function mayMake(directories: readonly string[]): boolean {
  return directories.every(directory => {
    let at = directory
    while (at !== '/' && !exists(at)) at = at.replace(/\/[^/]*$/, '') || '/'
    return sys.faccessat(AT_FDCWD, at, W_OK, AT_EACCESS) === 0
  })
}

/** In the place of a cgroup that could not be made: holds nothing, and grants no limit. */
export class NoCgroup implements Cgroup {
  readonly directories: readonly string[] = []

  create(): void {
    // There is nothing to make.
  }

  giveTo(): void {
    // There is nothing to give.
  }

  /** Device rules are the default of every container: without rights over devices there is nothing to be kept from. */
  apply({ devices: _devices, ...limits }: LinuxResources): void {
    const asked = Object.entries(limits).filter(([, value]) => value !== undefined && Object.keys(value as object).length > 0).map(([name]) => name)
    if (asked.length > 0) throw new Fault(`linux.resources.${asked.join(', ')}: this user may not make cgroups`, { fix: 'leave the limits out, or have a cgroup delegated' })
  }

  openForClone(): undefined {
    return undefined
  }

  openTasks(): undefined {
    return undefined
  }

  enter(): void {
    // It stays where it was born.
  }

  async freeze(): Promise<void> {
    throw new Fault('the container has no cgroup to be frozen in', { fix: 'have a cgroup delegated' })
  }

  async thaw(): Promise<void> {
    // It was never frozen.
  }

  frozen(): boolean {
    return false
  }

  killAll(): void {
    // Its pid namespace dies with init.
  }

  pids(): number[] {
    return []
  }

  stats(): ContainerStats {
    throw new Fault('the container has no cgroup to be measured in', { fix: 'have a cgroup delegated' })
  }

  watchOom(): () => void {
    return () => undefined
  }

  async delete(): Promise<void> {
    // Nothing was made.
  }

  mountSources(): CgroupMountSource[] {
    return []
  }
}
