import * as sys from 'native:sys'
import { AT_EMPTY_PATH, O_PATH } from '../../../native/ts/constants/fcntl.ts'
import { MOUNT_ATTR_RDONLY } from '../../../native/ts/constants/mount.ts'
import { S_IFCHR, S_IFMT } from '../../../native/ts/constants/stat.ts'
import { checked } from '../../../native/ts/errno.ts'
import { Fault } from '../../../native/ts/fault.ts'
import { open, type Fd } from '../../../native/ts/fd.ts'
import { attach, cloneTree, makeFilesystem, setAttributes } from './mount-calls.ts'
import { isDirectory, type Root } from './root.ts'

/** Read-only paths of the spec: each is bound on itself, read-only with all below. A missing one is skipped. */
export function makeReadonly(root: Root, paths: readonly string[]): void {
  for (const path of paths) {
    using at = root.find(path)
    if (!at) continue
    using mount = cloneTree(at.number, '', true, path)
    setAttributes(mount, { set: MOUNT_ATTR_RDONLY, clear: 0 }, true)
    attach(mount, at)
  }
}

/**
 * Masked paths of the spec: a file is covered by the null device, a directory by an empty read-only
 * tmpfs. A missing one is skipped. The null device is the runtime's own, and looked at: one of the image
 * could be anything (CVE-2025-31133).
 */
export function mask(root: Root, paths: readonly string[]): void {
  if (paths.length === 0) return
  using nullDevice = openNull()
  let empty: Fd | undefined
  try {
    for (const path of paths) {
      using at = root.find(path)
      if (!at) continue
      if (isDirectory(at)) {
        // One empty file system serves them all: attached to the first, cloned from there. Linux before 6.15
        // clones no mount that is still detached (open_tree(2), EINVAL).
        if (empty) {
          using cover = cloneTree(empty.number, '', false, `mask of ${path}`)
          attach(cover, at)
        } else {
          empty = makeFilesystem({ type: 'tmpfs', source: 'tmpfs', flags: [], data: ['size=0k', 'mode=755'], attributes: { set: MOUNT_ATTR_RDONLY, clear: 0 } })
          attach(empty, at)
        }
      } else {
        using cover = cloneTree(nullDevice.number, '', false, `mask of ${path}`)
        attach(cover, at)
      }
    }
  } finally {
    empty?.close()
  }
}

/** /dev/null is character device 1:3 (Documentation/admin-guide/devices.txt). */
function openNull(): Fd {
  const fd = open('/dev/null', O_PATH)
  const stat = checked('statx', fd.what, sys.statx(fd.number, '', AT_EMPTY_PATH))
  if ((stat.mode & S_IFMT) === S_IFCHR && stat.rdevMajor === 1 && stat.rdevMinor === 3) return fd
  fd.close()
  throw new Fault('/dev/null of the runtime is not the null device')
}
