/** The kernel's mount calls on descriptors (open_tree(2), move_mount(2), fsopen(2), mount_setattr(2)): no path is resolved twice. */
import * as sys from 'native:sys'
import { AT_EMPTY_PATH, AT_FDCWD, AT_RECURSIVE } from '../../../native/ts/constants/fcntl.ts'
import {
  FSCONFIG_CMD_CREATE, FSCONFIG_SET_FLAG, FSCONFIG_SET_STRING, FSMOUNT_CLOEXEC, FSOPEN_CLOEXEC, MOUNT_ATTR_RDONLY,
  MOVE_MOUNT_F_EMPTY_PATH, MOVE_MOUNT_T_EMPTY_PATH, OPEN_TREE_CLOEXEC, OPEN_TREE_CLONE,
} from '../../../native/ts/constants/mount.ts'
import { check, SysError } from '../../../native/ts/errno.ts'
import { Fd } from '../../../native/ts/fd.ts'
import type { Attributes, MountPlan } from './mount-options.ts'

/** A detached copy of the mount at `path` (relative to `dirfd`; empty: `dirfd` itself), with or without those below it. */
export function cloneTree(dirfd: number, path: string, recursive: boolean, what: string): Fd {
  const flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (recursive ? AT_RECURSIVE : 0) | (path === '' ? AT_EMPTY_PATH : 0)
  return new Fd(check('open_tree', what, sys.openTree(dirfd, path, flags)), what)
}

/** As cloneTree, of a path in this process's own view. */
export function clonePath(path: string, recursive: boolean): Fd {
  return cloneTree(AT_FDCWD, path, recursive, path)
}

/** Puts a detached mount on what `at` (borrowed, O_PATH) is. */
export function attach(mount: Fd, at: Fd): void {
  check('move_mount', `${mount.what} on ${at.what}`, sys.moveMount(mount.number, '', at.number, '', MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH))
}

/** mount_setattr(2), on the mounts below too when `recursive`. Borrows `mount`. Throws SysError (ENOSYS: a kernel before 5.12). */
export function setAttributes(mount: Fd, attributes: Attributes, recursive: boolean): void {
  if (attributes.set === 0 && attributes.clear === 0) return
  const flags = AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0)
  check('mount_setattr', mount.what, sys.mountSetattr(mount.number, '', flags, { ...attributes, propagation: 0 }))
}

/** `propagation`: MS_PRIVATE, MS_SHARED, MS_SLAVE or MS_UNBINDABLE. */
export function setPropagation(mount: Fd, propagation: { flag: number; recursive: boolean }): void {
  const flags = AT_EMPTY_PATH | (propagation.recursive ? AT_RECURSIVE : 0)
  check('mount_setattr', `propagation of ${mount.what}`, sys.mountSetattr(mount.number, '', flags, { set: 0, clear: 0, propagation: propagation.flag }))
}

export type FilesystemPlan = Pick<MountPlan, 'type' | 'source' | 'flags' | 'data' | 'attributes'>

/**
 * A new file system, mounted nowhere yet. `writable`: not read-only for now, in superblock and mount; the
 * caller sets the attributes when it has filled it. Throws SysError with what the kernel has to say.
 */
export function makeFilesystem(plan: FilesystemPlan, writable = false): Fd {
  const what = `${plan.type}${plan.source && plan.source !== plan.type ? ` ${plan.source}` : ''}`
  using context = new Fd(check('fsopen', plan.type, sys.fsopen(plan.type, FSOPEN_CLOEXEC)), what)
  const configure = (command: number, key: string | null, value: string | null) => {
    const done = sys.fsconfig(context.number, command, key, value, 0)
    if (done < 0) throw new SysError('mount', `${what}${key === null ? '' : ` with ${key}${value === null ? '' : `=${value}`}`}`, -done, complaint(context))
  }
  if (plan.source) configure(FSCONFIG_SET_STRING, 'source', plan.source)
  if (plan.attributes.set & MOUNT_ATTR_RDONLY && !writable) configure(FSCONFIG_SET_FLAG, 'ro', null)
  for (const flag of plan.flags) configure(FSCONFIG_SET_FLAG, flag, null)
  for (const item of plan.data.flatMap(text => text.split(','))) {
    const equals = item.indexOf('=')
    if (equals < 0) configure(FSCONFIG_SET_FLAG, item, null)
    else configure(FSCONFIG_SET_STRING, item.slice(0, equals), item.slice(equals + 1))
  }
  configure(FSCONFIG_CMD_CREATE, null, null)
  const attributes = writable ? plan.attributes.set & ~MOUNT_ATTR_RDONLY : plan.attributes.set
  const made = sys.fsmount(context.number, FSMOUNT_CLOEXEC, attributes)
  if (made < 0) throw new SysError('mount', what, -made, complaint(context))
  return new Fd(made, what)
}

/** The kernel's own words: a file system context gives its messages to read(2), each `e ` (error), `w ` or `i ` first. */
function complaint(context: Fd): { fix?: string } {
  const buffer = new Uint8Array(512)
  const got = sys.read(context.number, buffer, 0, buffer.length)
  const text = got > 2 ? sys.utf8Decode(buffer, 0, got).trim() : ''
  return text.startsWith('e ') ? { fix: `the kernel says: ${text.slice(2)}` } : {}
}
