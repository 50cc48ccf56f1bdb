/** Directories of a cgroup hierarchy, which are made and removed alike in both versions. */
import * as sys from 'native:sys'
import { AT_FDCWD, AT_REMOVEDIR } from '../../../native/ts/constants/fcntl.ts'
import { DT_DIR } from '../../../native/ts/constants/stat.ts'
import { monotonicMs, sleep } from '../../../native/ts/clock.ts'
import { E, SysError } from '../../../native/ts/errno.ts'
import { Fault } from '../../../native/ts/fault.ts'
import { removeDirectory } from '../../../native/ts/file.ts'
import { readPids } from './values.ts'

/** How long processes that were killed may take to leave their cgroup. */
const leaveLimitMs = 10_000
const firstDelayMs = 1
const longestDelayMs = 100

/** Names of the cgroups directly below `directory`; none when it is gone. */
export function childrenOf(directory: string): string[] {
  const entries = sys.readdir(AT_FDCWD, directory)
  if (typeof entries === 'number') {
    if (entries === -E.ENOENT) return []
    throw new SysError('readdir', directory, -entries)
  }
  return entries.filter(({ type }) => type === DT_DIR).map(({ name }) => name)
}

/** `directory` and every cgroup below it, parents first. */
export function treeOf(directory: string): string[] {
  return [directory, ...childrenOf(directory).flatMap(name => treeOf(`${directory}/${name}`))]
}

/** Makes the container's own cgroup, or takes one that is there and empty. Throws Fault for one in use: its limits would change. */
export function takeDirectory(directory: string): void {
  const made = sys.mkdirat(AT_FDCWD, directory, 0o755)
  if (made >= 0) return
  if (made !== -E.EEXIST) throw new SysError('mkdir', directory, -made)
  if (treeOf(directory).some(each => readPids(`${each}/cgroup.procs`).length > 0)) {
    throw new Fault(`cgroup ${directory} is in use by other processes`, { fix: 'give the container a linux.cgroupsPath of its own' })
  }
}

/**
 * Removes a cgroup with what the container made below it. A process that was killed leaves its cgroup only as
 * it ends, and the kernel says EBUSY till then: so this tries again, for a while.
 */
export async function removeTreeOf(directory: string): Promise<void> {
  const deadline = monotonicMs() + leaveLimitMs
  for (let delayMs = firstDelayMs; ; delayMs = Math.min(delayMs * 2, longestDelayMs)) {
    try {
      // Most have nothing below them, and then there is nothing to be looked for.
      if (delayMs === firstDelayMs && sys.unlinkat(AT_FDCWD, directory, AT_REMOVEDIR) === 0) return
      for (const each of treeOf(directory).reverse()) removeDirectory(each)
      return
    } catch (error) {
      if (!(error instanceof SysError) || error.errno !== E.EBUSY || monotonicMs() >= deadline) throw error
    }
    await sleep(delayMs)
  }
}
