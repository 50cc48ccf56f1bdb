import * as sys from 'native:sys'
import { AT_FDCWD, O_DIRECTORY, O_PATH } from '../../../native/ts/constants/fcntl.ts'
import { MNT_DETACH, MOVE_MOUNT_F_EMPTY_PATH, MS_PRIVATE, MS_SLAVE } from '../../../native/ts/constants/mount.ts'
import { check } from '../../../native/ts/errno.ts'
import { open, type Fd } from '../../../native/ts/fd.ts'
import { chrootInto } from './inherited-root.ts'
import { attach, cloneTree, setPropagation } from './mount-calls.ts'

/**
 * Makes the bundle's root directory a mount of its own, which pivot_root(2) asks for; gives it, open.
 * `propagation`: of everything that is mounted now, so that nothing of the container's reaches the runtime; undefined in
 * the runtime's own namespace, whose mounts are not the container's to change. Takes ownership of `opened`, if `path` is open already.
 */
export function prepareRoot(path: string, propagation: { flag: number; recursive: boolean } | undefined, opened?: Fd): Fd {
  if (propagation) {
    using top = open('/', O_PATH | O_DIRECTORY)
    // A shared root of the container hangs below mounts that must not pass anything on to the runtime's peers.
    setPropagation(top, propagation.flag === MS_SLAVE || propagation.flag === MS_PRIVATE ? { ...propagation, recursive: true } : { flag: MS_SLAVE, recursive: true })
  }
  using at = opened ?? open(path, O_PATH | O_DIRECTORY, 0, AT_FDCWD)
  const root = cloneTree(at.number, '', true, path)
  try {
    attach(root, at)
    // The runtime's propagation ends here, whatever the root is given later.
    setPropagation(root, { flag: MS_PRIVATE, recursive: false })
    return root
  } catch (error) {
    root.close()
    throw error
  }
}

/**
 * Without pivot_root(2): the root is moved onto / and the process's root follows. What was mounted before lies below it, out of
 * reach; of it /proc and /sys are taken away, as a visible one lets a user namespace mount its own (mount_too_revealing).
 */
export function moveInto(root: Fd): void {
  for (const path of ['/proc', '/sys']) sys.umount2(path, MNT_DETACH)
  check('move_mount', `${root.what} to /`, sys.moveMount(root.number, '', AT_FDCWD, '/', MOVE_MOUNT_F_EMPTY_PATH))
  chrootInto(root)
}

/**
 * pivot_root(2) onto `root` without a directory to put the old root in: old and new root lie on the same
 * place for a moment, then the old one is detached.
 */
export function pivotInto(root: Fd): void {
  using old = open('/', O_PATH | O_DIRECTORY)
  check('fchdir', root.what, sys.fchdir(root.number))
  check('pivot_root', root.what, sys.pivotRoot('.', '.'))
  check('fchdir', 'the old root', sys.fchdir(old.number))
  // Unmounting must not reach the runtime's own mounts.
  setPropagation(old, { flag: MS_SLAVE, recursive: true })
  check('umount2', 'the old root', sys.umount2('.', MNT_DETACH))
  check('chdir', '/', sys.chdir('/'))
}
