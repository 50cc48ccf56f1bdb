import * as sys from 'native:sys'
import { AT_FDCWD, O_DIRECTORY, O_PATH } from '../../native/ts/constants/fcntl.ts'
import { MNT_DETACH, UMOUNT_NOFOLLOW } from '../../native/ts/constants/mount.ts'
import type { Spec } from '../../protocol/oci/spec.ts'
import { shareDir } from './share.ts'

/**
 * Directories of the share that containers bind. Each is a mount that the kernel makes at the first look (a submount of
 * virtio-fs), in the mount namespace of whoever looks: made here, before a container's namespace is copied from ours, it is
 * one file system for all of them, with one page cache. Made in theirs it would be one for each.
 */
export class SharedSources {
  /** Containers that bind it, by path. */
  readonly #users = new Map<string, Set<string>>()

  /** Has the container's sources mounted. */
  take(containerId: string, spec: Spec): void {
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
    }
  }
}
