import { AT_FDCWD, O_DIRECTORY, O_PATH } from '../../../native/ts/constants/fcntl.ts'
import { open, type Fd } from '../../../native/ts/fd.ts'
import { clonePath } from './mount-calls.ts'
import type { MountPlan } from './mount-options.ts'

/** Paths of the runtime's file system that a container is made of, opened. Owned by whoever asked for them. */
export interface HostPaths {
  /** The root's directory, O_PATH. */
  root: Fd
  /** Detached copies of what bind mounts name. */
  sources: ReadonlyMap<MountPlan, Fd>
}

/**
 * Opens them as the runtime's own user: the root of a user namespace may not search a directory that is closed to others
 * (a bundle below /root, a pod's volumes), but may mount what it was given.
 */
export function openHostPaths(rootPath: string, mounts: readonly MountPlan[]): HostPaths {
  const root = open(rootPath, O_PATH | O_DIRECTORY, 0, AT_FDCWD)
  const sources = new Map<MountPlan, Fd>()
  try {
    for (const mount of mounts) {
      if (mount.kind === 'filesystem' || mount.remount || mount.idMap) continue
      sources.set(mount, clonePath(mount.source, mount.kind === 'rbind'))
    }
    return { root, sources }
  } catch (error) {
    for (const fd of [root, ...sources.values()]) fd.close()
    throw error
  }
}
