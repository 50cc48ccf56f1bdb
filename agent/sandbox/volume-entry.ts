import * as sys from 'native:sys'
import { AT_EMPTY_PATH, O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_PATH, O_WRONLY, RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS } from '../../native/ts/constants/fcntl.ts'
import { check, E, SysError } from '../../native/ts/errno.ts'
import { Fd } from '../../native/ts/fd.ts'
import type { VolumeEntry } from '../../protocol/gen/agent.ts'
import { invalid } from '../refusal.ts'

/** What of a volume's entry says whose it is. */
type Ownership = Pick<VolumeEntry, 'mode' | 'uid' | 'gid'>

const permissionBits = 0o7777

/** Owner first: chown(2) takes set-ID bits away. Borrows `fd`, which may be opened O_PATH. */
export function giveTo(fd: Fd, { mode, uid, gid }: Ownership): void {
  check('chown', fd.what, sys.fchownat(fd.number, '', uid, gid, AT_EMPTY_PATH))
  // fchmod(2) does not take O_PATH, and fchmodat(2) no empty path.
  check('chmod', fd.what, sys.fchmodat(-1, `/proc/self/fd/${fd.number}`, mode & permissionBits))
}

/** The directory `path` below `top`, made with its parents where it is missing. */
export function makeBelow(top: Fd, path: string, owner: Ownership): void {
  const names = namesOf(path)
  names.forEach((name, index) => {
    using above = openBelow(top, names.slice(0, index).join('/') || '.')
    const made = sys.mkdirat(above.number, name, 0o700)
    if (made === -E.EEXIST) return
    check('mkdir', path, made)
    using directory = openBelow(above, name)
    giveTo(directory, owner)
  })
}

/** Makes a directory or file below `top`, whose parent is there. */
export function makeEntry(top: Fd, entry: VolumeEntry): void {
  const names = namesOf(entry.path)
  const name = names.pop() ?? ''
  using parent = openBelow(top, names.join('/') || '.')
  if (entry.isDirectory) {
    check('mkdir', entry.path, sys.mkdirat(parent.number, name, 0o700))
    using directory = openBelow(parent, name)
    giveTo(directory, entry)
    return
  }
  using file = new Fd(check('create', entry.path, sys.openat(parent.number, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600)), entry.path)
  writeAll(file, entry.data)
  giveTo(file, entry)
}

/** A directory below `top`, through no symlink. The caller owns it. */
export function openBelow(top: Fd, path: string): Fd {
  return new Fd(check('open', `${path} in ${top.what}`, sys.openat2(top.number, path, O_PATH | O_DIRECTORY, 0, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS)), `${top.what}/${path}`)
}

/** The names of a relative path. Throws Refusal for an empty one or one that leads elsewhere. */
function namesOf(path: string): string[] {
  const names = path.split('/')
  if (names.some(name => name === '' || name === '.' || name === '..' || name.includes('\0'))) throw invalid(`${JSON.stringify(path.slice(0, 256))} is no path in a volume`)
  return names
}

function writeAll(file: Fd, data: Uint8Array): void {
  for (let done = 0; done < data.length;) {
    const written = sys.write(file.number, data, done, data.length - done)
    if (written <= 0) throw new SysError('write', file.what, written === 0 ? E.EIO : -written)
    done += written
  }
}
