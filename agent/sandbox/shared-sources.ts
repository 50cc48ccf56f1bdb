import * as sys from 'native:sys'
import { AT_FDCWD, O_DIRECTORY, O_NOFOLLOW, O_PATH } from '../../native/ts/constants/fcntl.ts'
import { MNT_DETACH, UMOUNT_NOFOLLOW } from '../../native/ts/constants/mount.ts'
import type { Spec } from '../../protocol/oci/spec.ts'
import { shareDir } from './share.ts'

/**
 * When to look for a path that the host is about to remove: only a look that finds nothing makes the kernel forget it, and
 * the daemon let go of what was mounted there, so that the host can take a volume's device away. Names are good for a second.
 */
const lookAgainMs = [1_500, 5_000, 30_000]

/**
 * Directories of the share that containers bind. Each is a mount that the kernel makes at the first look (a submount of
 * virtio-fs), in the mount namespace of whoever looks: made here, before a container's namespace is copied from ours, it is
 * one file system for all of them, with one page cache. Made in theirs it would be one for each.
 */
export class SharedSources {
  /** Containers that bind it, by path. */
  readonly #users = new Map<string, Set<string>>()
  /** Root file systems, by container. */
  readonly #roots = new Map<string, string>()

  /** Has the container's sources mounted. */
  take(containerId: string, spec: Spec): void {
    const root = spec.root?.path ?? ''
    if (root.startsWith(`${shareDir}/`)) this.#roots.set(containerId, root)
    for (const { source = '' } of spec.mounts ?? []) {
      if (!source.startsWith(`${shareDir}/`)) continue
      // O_DIRECTORY makes open(2) mount what is to be mounted there. A file is none, and what is wrong the mount itself tells.
      const opened = sys.openat(AT_FDCWD, source, O_PATH | O_DIRECTORY, 0)
      if (opened < 0) continue
      sys.close(opened)
      const users = this.#users.get(source) ?? new Set()
      this.#users.set(source, users.add(containerId))
    }
  }

  /** Unmounts what no other container has: only then does the host's daemon let go of it. */
  release(containerId: string): void {
    for (const [source, users] of [...this.#users]) {
      if (!users.delete(containerId) || users.size > 0) continue
      this.#users.delete(source)
      sys.umount2(source, MNT_DETACH | UMOUNT_NOFOLLOW)
      this.#forget(source)
    }
    const root = this.#roots.get(containerId)
    this.#roots.delete(containerId)
    if (root !== undefined) this.#forget(root)
  }

  #forget(path: string, tries = 0): void {
    const delayMs = lookAgainMs[tries]
    if (delayMs === undefined) return
    sys.setTimer(delayMs, () => {
      if (this.#users.has(path)) return
      const opened = sys.openat(AT_FDCWD, path, O_PATH | O_NOFOLLOW, 0)
      if (opened < 0) return
      sys.close(opened)
      this.#forget(path, tries + 1)
    })
  }
}
