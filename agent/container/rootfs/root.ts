import * as sys from 'native:sys'
import {
  AT_EMPTY_PATH, O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_PATH, O_WRONLY, RESOLVE_BENEATH, RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS,
  RESOLVE_NO_SYMLINKS,
} from '../../../native/ts/constants/fcntl.ts'
import { S_IFDIR, S_IFLNK, S_IFMT } from '../../../native/ts/constants/stat.ts'
import { check, checked, E, SysError } from '../../../native/ts/errno.ts'
import { Fd } from '../../../native/ts/fd.ts'

/** Symlinks followed in one path before it is a loop, as the kernel counts (path_resolution(7)). */
const maxLinks = 40

/**
 * A container's root file system as seen from outside it. Its content is not ours: a symlink in it may
 * point anywhere, and another container that shares a volume may move things at any time. So a path is
 * never joined and used by name: it is opened inside the root by the kernel (openat2(2) RESOLVE_IN_ROOT),
 * and what is done is done to that descriptor (CVE-2021-30465, CVE-2019-19921, CVE-2025-52881).
 */
export class Root {
  /** Borrows `fd`, the root directory, opened O_PATH. `path` names it in errors. */
  constructor(readonly fd: number, readonly path: string) {}

  /** What is at `path`, opened O_PATH; undefined when nothing is. The caller owns it. */
  find(path: string, flags = 0): Fd | undefined {
    const opened = sys.openat2(this.fd, relative(path), O_PATH | flags, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)
    if (opened === -E.ENOENT || opened === -E.ENOTDIR) return undefined
    return new Fd(check('open', `${path} in ${this.path}`, opened), path)
  }

  /** A directory, made with its parents where it is missing. The caller owns it. */
  directory(path: string, mode = 0o755): Fd {
    return this.#directory(segments(path), mode, 0)
  }

  /** A directory or, for anything else than a directory to be mounted there, a file; made where it is missing. */
  mountPoint(path: string, directory: boolean): Fd {
    const found = this.find(path)
    if (found) return found
    return directory ? this.directory(path) : this.#file(segments(path), 0)
  }

  /** The directory that holds the last name of `path`, made where it is missing, and that name. */
  parent(path: string): { directory: Fd; name: string } {
    const names = segments(path)
    const name = names.pop()
    if (name === undefined) throw new SysError('open', `the parent of ${path}`, E.EINVAL)
    return { directory: this.#directory(names, 0o755, 0), name }
  }

  #directory(names: readonly string[], mode: number, links: number): Fd {
    // The longest part that exists, by the kernel's own resolution.
    for (let count = names.length; ; count--) {
      const found = this.find(names.slice(0, count).join('/') || '.', O_DIRECTORY)
      if (found) return this.#below(found, names, count, mode, links)
      if (count === 0) throw new SysError('open', this.path, E.ENOENT)
    }
  }

  /** Makes names[from…] below `at`, taking ownership of it. */
  #below(at: Fd, names: readonly string[], from: number, mode: number, links: number): Fd {
    for (let index = from; index < names.length; index++) {
      using above = at
      const name = names[index] ?? ''
      const made = sys.mkdirat(above.number, name, mode)
      if (made < 0 && made !== -E.EEXIST) check('mkdir', `${names.slice(0, index + 1).join('/')} in ${this.path}`, made)
      const target = made === -E.EEXIST ? linkTarget(above.number, name) : undefined
      // A symlink to what does not exist (yet): what it names is made, inside the root.
      if (target !== undefined) {
        return this.#directory(this.#followed(names, index, target, links), mode, links + 1)
      }
      const opened = sys.openat2(above.number, name, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS)
      at = new Fd(check('open', `${names.slice(0, index + 1).join('/')} in ${this.path}`, opened), name)
    }
    return at
  }

  #file(names: readonly string[], links: number): Fd {
    const name = names.at(-1)
    if (name === undefined) throw new SysError('open', `/ in ${this.path} as a file`, E.EISDIR)
    using directory = this.#directory(names.slice(0, -1), 0o755, links)
    const made = sys.openat(directory.number, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o755)
    if (made >= 0) sys.close(made)
    else if (made !== -E.EEXIST) check('create', `${names.join('/')} in ${this.path}`, made)
    else {
      const target = linkTarget(directory.number, name)
      if (target !== undefined) return this.#file(this.#followed(names, names.length - 1, target, links), links + 1)
    }
    const opened = sys.openat2(directory.number, name, O_PATH | O_NOFOLLOW, 0, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS)
    return new Fd(check('open', `${names.join('/')} in ${this.path}`, opened), name)
  }

  /** The path with the symlink at names[index] replaced by where it points to. */
  #followed(names: readonly string[], index: number, target: string, links: number): string[] {
    if (links >= maxLinks) throw new SysError('open', `${names.join('/')} in ${this.path}`, E.ELOOP)
    const before = target.startsWith('/') ? '' : names.slice(0, index).join('/')
    return segments(`${before}/${target}/${names.slice(index + 1).join('/')}`)
  }
}

function linkTarget(dirfd: number, name: string): string | undefined {
  const target = sys.readlinkat(dirfd, name)
  return typeof target === 'string' ? target : undefined
}

/** The names of an absolute path, with `.`, `..` and doubled slashes taken out: `..` never leads above the root. */
export function segments(path: string): string[] {
  const names: string[] = []
  for (const name of path.split('/')) {
    if (name === '' || name === '.') continue
    if (name === '..') names.pop()
    else names.push(name)
  }
  return names
}

function relative(path: string): string {
  return segments(path).join('/') || '.'
}

/** What an O_PATH descriptor is: its file type bits (S_IF*). */
export function fileType(fd: Fd): number {
  return checked('statx', fd.what, sys.statx(fd.number, '', AT_EMPTY_PATH)).mode & S_IFMT
}

/** Borrows `fd`, which may be O_PATH, as isSymlink does. Throws SysError. */
export function isDirectory(fd: Fd): boolean {
  return fileType(fd) === S_IFDIR
}

export function isSymlink(fd: Fd): boolean {
  return fileType(fd) === S_IFLNK
}
