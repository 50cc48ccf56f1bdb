/**
 * The root of a container that has no mount namespace of its own (config-linux.md#namespaces: it inherits the runtime's). Its
 * mounts are the runtime's, too: they do not go with the container, so its deletion takes them away.
 */
import * as sys from 'native:sys'
import { MNT_DETACH } from '../../../native/ts/constants/mount.ts'
import { check } from '../../../native/ts/errno.ts'
import type { Fd } from '../../../native/ts/fd.ts'
import { stat } from '../../../native/ts/file.ts'

/** The mount that `path` lies on: another one once a container has been made there. */
export function mountOf(path: string): number {
  return stat(path).mountId
}

/** Takes away the container's root mount and all that lies on it; nothing when `path` is still on the mount `before`. */
export function unmountRoot(path: string, before: number): void {
  if (mountOf(path) !== before) check('umount2', path, sys.umount2(path, MNT_DETACH))
}

/** Without a namespace there is no root of mounts to exchange (pivot_root(2)): the process alone gets another root. */
export function chrootInto(root: Fd): void {
  check('fchdir', root.what, sys.fchdir(root.number))
  check('chroot', root.what, sys.chroot('.'))
  check('chdir', '/', sys.chdir('/'))
}
