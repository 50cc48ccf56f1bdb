import * as sys from 'native:sys'
import { AT_EMPTY_PATH, AT_FDCWD } from '../../native/ts/constants/fcntl.ts'
import { MOUNT_ATTR_RDONLY, OPEN_TREE_CLOEXEC, OPEN_TREE_CLONE } from '../../native/ts/constants/mount.ts'
import { check, checked, E } from '../../native/ts/errno.ts'
import { Fd } from '../../native/ts/fd.ts'

/** statfs(2) */
const ST_RDONLY = 1

/**
 * Runs this program again from a read-only mount of its own file, which is mounted nowhere: through /proc/<pid>/exe a
 * process of a container can reach it (a script whose interpreter is /proc/self/exe is enough), but not write to it
 * (CVE-2019-5736). Does nothing when that is so already. In a guest the file is not worth this: nobody else runs it.
 */
export function runFromReadonlyMount(): void {
  const own = '/proc/self/exe'
  if ((checked('statfs', own, sys.statfs(own)).flags & ST_RDONLY) !== 0) return
  const opened = sys.openTree(AT_FDCWD, own, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC)
  // Who may not mount is no root of the host, and neither is a container of its: the file is the host's root's.
  if (opened === -E.EPERM) return
  using mount = new Fd(check('open_tree', own, opened), own)
  check('mount_setattr', own, sys.mountSetattr(mount.number, '', AT_EMPTY_PATH, { set: MOUNT_ATTR_RDONLY, clear: 0, propagation: 0 }))
  check('execveat', own, sys.execveat(mount.number, '', sys.argv(), sys.environ(), AT_EMPTY_PATH))
}
