import * as sys from 'native:sys'
import { AT_EMPTY_PATH, AT_FDCWD, AT_RECURSIVE, O_CREAT, O_EXCL, O_RDONLY, O_WRONLY } from '../../../native/ts/constants/fcntl.ts'
import {
  MNT_DETACH, MOUNT_ATTR_NODEV, MOUNT_ATTR_NOEXEC, MOUNT_ATTR_NOSUID, MOUNT_ATTR_RDONLY, MOVE_MOUNT_F_EMPTY_PATH, MS_NODEV, MS_NOEXEC,
  MS_NOSUID, MS_REC, MS_SLAVE, OPEN_TREE_CLOEXEC, OPEN_TREE_CLONE,
} from '../../../native/ts/constants/mount.ts'
import { check, E } from '../../../native/ts/errno.ts'
import { Fd, open } from '../../../native/ts/fd.ts'
import { fstat, makeDirectories } from '../../../native/ts/file.ts'

/** Something of the host that a process keeps, file or directory. Never a setuid program or a device. */
export interface RootPart {
  /** Where the process finds it. */
  at: string
  /** Where it is on the host. */
  from: string
  /**
   * `execute`: read-only, may be run or loaded. `read`: read-only data; a file that others may not read is copied.
   * `write`: as it is. `share`: with the mounts that are below, and come later.
   */
  use: 'execute' | 'read' | 'write' | 'share'
}

/** A device node, for its user alone. */
export interface RootDevice {
  /** Where it is, and will be: `/dev/kvm`. */
  path: string
  major: number
  minor: number
  uid: number
  gid: number
}

export interface RootPlan {
  parts: readonly RootPart[]
  devices?: readonly RootDevice[]
  /** A procfs of its own PID namespace on /proc. */
  proc?: boolean
}

/** Where the new root is put together: a directory of every host from which nothing is taken. */
const site = '/sys'

const attributes: Readonly<Record<RootPart['use'], number>> = {
  execute: MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV,
  read: MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC,
  write: MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC,
  // Each of its mounts has its own already (storage/share.ts).
  share: 0,
}

/**
 * In a new process with a mount namespace of its own, as root: makes `plan` its root directory, read-only, and lets go of the
 * host's. Nothing outside this namespace changes, and all of it goes with the process. Throws SysError.
 */
export function enterRoot(plan: RootPlan): void {
  // Directories are for everybody, whatever containerd's own umask is.
  sys.umask(0o022)
  check('mount', '/ as slave', sys.mount(null, '/', null, MS_REC | MS_SLAVE, null))
  check('mount', `tmpfs on ${site}`, sys.mount('kata-ts', site, 'tmpfs', MS_NOSUID | MS_NODEV, 'mode=0755'))
  for (const part of plan.parts) addPart(part)
  if (plan.devices?.length) addDevices(plan.devices)
  if (plan.proc) {
    makeDirectories(`${site}/proc`)
    check('mount', 'proc', sys.mount('proc', `${site}/proc`, 'proc', MS_NOSUID | MS_NODEV | MS_NOEXEC, null))
  }
  setAttributes(AT_FDCWD, site, 0, attributes.read)
  check('chdir', site, sys.chdir(site))
  check('pivot_root', site, sys.pivotRoot('.', '.'))
  // The old root lies over the new one now (pivot_root(2)).
  check('umount', 'the host\'s root', sys.umount2('.', MNT_DETACH))
  check('chdir', '/', sys.chdir('/'))
}

function addPart({ at, from, use }: RootPart): void {
  const target = `${site}${at}`
  using tree = new Fd(check('open_tree', from, sys.openTree(AT_FDCWD, from, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (use === 'share' ? AT_RECURSIVE : 0))), from)
  const { mode } = fstat(tree.number, from)
  const directory = (mode & 0o170000) === 0o040000
  if (use === 'read' && !directory && !(mode & 0o004)) return copy(from, target)
  makePoint(target, directory)
  setAttributes(tree.number, '', AT_EMPTY_PATH, attributes[use])
  check('move_mount', `${from} to ${at}`, sys.moveMount(tree.number, '', AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH))
}

function makePoint(path: string, directory: boolean): void {
  if (directory) return makeDirectories(path)
  const result = sys.openat(AT_FDCWD, path, O_CREAT | O_WRONLY, 0o444)
  if (result === -E.ENOENT) {
    makeDirectories(path.slice(0, path.lastIndexOf('/')))
    open(path, O_CREAT | O_WRONLY, 0o444).close()
    return
  }
  sys.close(check('open', path, result))
}

/** sendfile(2), x86_64 */
const SYS_sendfile = 40

function copy(from: string, target: string): void {
  makeDirectories(target.slice(0, target.lastIndexOf('/')))
  using source = open(from, O_RDONLY)
  using file = open(target, O_CREAT | O_EXCL | O_WRONLY, 0o444)
  while (check('sendfile', from, sys.syscall(SYS_sendfile, file.number, source.number, null, 1 << 30)) > 0);
}

/** A file system of their own, so that no other of the root may hold devices. */
function addDevices(devices: readonly RootDevice[]): void {
  const directory = `${site}/dev`
  makeDirectories(directory)
  check('mount', 'tmpfs on /dev', sys.mount('kata-ts', directory, 'tmpfs', MS_NOSUID | MS_NOEXEC, 'mode=0755,size=4k'))
  for (const { path, major, minor, uid, gid } of devices) {
    check('mknod', path, sys.mknodat(AT_FDCWD, `${site}${path}`, 0o020600, major, minor))
    check('chown', path, sys.fchownat(AT_FDCWD, `${site}${path}`, uid, gid, 0))
  }
  setAttributes(AT_FDCWD, directory, 0, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC)
}

function setAttributes(dirfd: number, path: string, flags: number, set: number): void {
  check('mount_setattr', path || 'part of a root', sys.mountSetattr(dirfd, path, flags, { set, clear: 0, propagation: 0 }))
}
