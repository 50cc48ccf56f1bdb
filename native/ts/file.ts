import * as sys from 'native:sys'
import { AT_EMPTY_PATH, AT_FDCWD, AT_REMOVEDIR, AT_SYMLINK_NOFOLLOW, O_CREAT, O_TRUNC, O_WRONLY } from './constants/fcntl.ts'
import { check, checked, E, SysError } from './errno.ts'

/** Whole files, by path. Every function throws SysError unless it says otherwise. */

/** Files that the runtime reads whole are configuration or kernel text: 16 MiB is far above any of them. */
const defaultMaxBytes = 16 * 1024 * 1024

/** The whole file. `path` is relative to `dirfd`, which it borrows. Throws SysError (EFBIG: more than `maxBytes`). */
export function readBytes(path: string, maxBytes = defaultMaxBytes, dirfd: number = AT_FDCWD): Uint8Array {
  return checked('read', path, sys.readFile(dirfd, path, maxBytes))
}

/** The file as UTF-8 text. */
export function readText(path: string, maxBytes = defaultMaxBytes): string {
  const bytes = readBytes(path, maxBytes)
  return sys.utf8Decode(bytes, 0, bytes.length)
}

/** As readText; undefined when there is no such file. */
export function readTextIfPresent(path: string, maxBytes = defaultMaxBytes): string | undefined {
  const bytes = sys.readFile(AT_FDCWD, path, maxBytes)
  if (typeof bytes !== 'number') return sys.utf8Decode(bytes, 0, bytes.length)
  if (bytes === -E.ENOENT) return undefined
  throw new SysError('read', path, -bytes)
}

/** Writes to an existing file as it is: kernel files (cgroupfs, procfs, sysfs). One write(2). */
export function writeKernelFile(path: string, text: string): void {
  check('write', `${JSON.stringify(text)} to ${path}`, sys.writeFile(AT_FDCWD, path, text, O_WRONLY, 0))
}

/** Creates or replaces a file's content in place. */
export function writeText(path: string, text: string, mode = 0o600): void {
  check('write', path, sys.writeFile(AT_FDCWD, path, text, O_WRONLY | O_CREAT | O_TRUNC, mode))
}

/** Replaces a file so that a reader sees the old content or the new, never a part (rename(2)). */
export function replaceText(path: string, text: string, mode = 0o600): void {
  const temporary = `${path}.new`
  writeText(temporary, text, mode)
  check('rename', `${temporary} to ${path}`, sys.renameat2(AT_FDCWD, temporary, AT_FDCWD, path, 0))
}

/** mkdir(2). Throws SysError (EEXIST). */
export function makeDirectory(path: string, mode = 0o755): void {
  check('mkdir', path, sys.mkdirat(AT_FDCWD, path, mode))
}

/** mkdir -p: the parents too; existing directories are left as they are. */
export function makeDirectories(path: string, mode = 0o755): void {
  const result = sys.mkdirat(AT_FDCWD, path, mode)
  if (result >= 0 || result === -E.EEXIST) return
  const parent = path.replace(/\/+[^/]+\/*$/, '')
  if (result !== -E.ENOENT || parent === '' || parent === path) throw new SysError('mkdir', path, -result)
  makeDirectories(parent, mode)
  const again = sys.mkdirat(AT_FDCWD, path, mode)
  if (again < 0 && again !== -E.EEXIST) throw new SysError('mkdir', path, -again)
}

/** Removes a file; false when there was none. */
export function removeFile(path: string): boolean {
  return removed(path, sys.unlinkat(AT_FDCWD, path, 0), 'unlink')
}

/** Removes an empty directory; false when there was none. */
export function removeDirectory(path: string): boolean {
  return removed(path, sys.unlinkat(AT_FDCWD, path, AT_REMOVEDIR), 'rmdir')
}

/**
 * Removes a tree without following symlinks and without crossing into another file system: a mount
 * left below must make it fail (EBUSY or EXDEV), never empty what is mounted there.
 */
export function removeTree(path: string): void {
  const top = sys.statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW)
  if (typeof top === 'number') {
    if (top === -E.ENOENT) return
    throw new SysError('stat', path, -top)
  }
  removeBelow(path, top.mountId)
}

function removeBelow(path: string, mountId: number): void {
  const stat = sys.statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW)
  if (typeof stat === 'number') {
    if (stat === -E.ENOENT) return
    throw new SysError('stat', path, -stat)
  }
  if (stat.mountId !== mountId) throw new SysError('remove', path, E.EXDEV, { fix: 'something is still mounted there' })
  if ((stat.mode & 0o170000) !== 0o040000) {
    removeFile(path)
    return
  }
  for (const entry of checked('readdir', path, sys.readdir(AT_FDCWD, path))) removeBelow(`${path}/${entry.name}`, mountId)
  removeDirectory(path)
}

function removed(path: string, result: number, call: string): boolean {
  if (result === -E.ENOENT) return false
  check(call, path, result)
  return true
}

/** Whether something is at `path` (a dangling symlink counts). Throws on anything but ENOENT and ENOTDIR. */
export function exists(path: string): boolean {
  const stat = sys.statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW)
  if (typeof stat !== 'number') return true
  if (stat === -E.ENOENT || stat === -E.ENOTDIR) return false
  throw new SysError('stat', path, -stat)
}

/** statx(2). `flags`: AT_SYMLINK_NOFOLLOW. Throws SysError. */
export function stat(path: string, flags = 0): sys.Stat {
  return checked('stat', path, sys.statx(AT_FDCWD, path, flags))
}

/** statx(2) of a descriptor, which it borrows; `what` names it in errors. Throws SysError. */
export function fstat(fd: number, what: string): sys.Stat {
  return checked('fstat', what, sys.statx(fd, '', AT_EMPTY_PATH))
}
