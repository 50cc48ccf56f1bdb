/** Directories of a cgroup hierarchy, which are made and removed alike in both versions. */
import * as sys from 'native:sys'
import { AT_FDCWD } from '../../../native/ts/constants/fcntl.ts'
import { DT_DIR } from '../../../native/ts/constants/stat.ts'
import { monotonicMs, sleep } from '../../../native/ts/clock.ts'
import { E, SysError } from '../../../native/ts/errno.ts'
import { removeDirectory } from '../../../native/ts/file.ts'

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

/**
 * Removes a cgroup with what the container made below it. A process that was killed leaves its cgroup only as
 * it ends, and the kernel says EBUSY till then: so this tries again, for a while.
 */
export async function removeTreeOf(directory: string): Promise<void> {
  const deadline = monotonicMs() + leaveLimitMs
  for (let delayMs = firstDelayMs; ; delayMs = Math.min(delayMs * 2, longestDelayMs)) {
    try {
      for (const each of treeOf(directory).reverse()) removeDirectory(each)
      return
    } catch (error) {
      if (!(error instanceof SysError) || error.errno !== E.EBUSY || monotonicMs() >= deadline) throw error
    }
    await sleep(delayMs)
  }
}
