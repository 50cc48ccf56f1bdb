import * as sys from 'native:sys'
import { AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW, O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_RDONLY, O_WRONLY } from '../../../native/ts/constants/fcntl.ts'
import { DT_BLK, DT_CHR, DT_DIR, DT_FIFO, DT_LNK, DT_REG } from '../../../native/ts/constants/stat.ts'
import { check, checked } from '../../../native/ts/errno.ts'
import { Fd, open } from '../../../native/ts/fd.ts'

const chunkBytes = 64 * 1024

/** Copies what directory `from` holds into directory `to` (both borrowed): names, content, owner, mode. Symlinks stay symlinks. */
export function copyTree(from: Fd, to: Fd): void {
  using source = open('.', O_RDONLY | O_DIRECTORY, 0, from.number)
  const own = checked('statx', from.what, sys.statx(source.number, '', AT_EMPTY_PATH))
  check('chown', to.what, sys.fchownat(to.number, '', own.uid, own.gid, AT_EMPTY_PATH))
  for (const { name, type } of checked('readdir', from.what, sys.readdir(source.number, '.'))) copyEntry(source, to, name, type)
}

function copyEntry(from: Fd, to: Fd, name: string, type: number): void {
  const stat = checked('statx', name, sys.statx(from.number, name, AT_SYMLINK_NOFOLLOW))
  const mode = stat.mode & 0o7777
  switch (type) {
    case DT_DIR: {
      check('mkdir', name, sys.mkdirat(to.number, name, mode))
      using source = open(name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, from.number)
      using made = open(name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, to.number)
      copyTree(source, made)
      break
    }
    case DT_REG: {
      using source = open(name, O_RDONLY | O_NOFOLLOW, 0, from.number)
      using made = open(name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode, to.number)
      copyBytes(source, made)
      break
    }
    case DT_LNK: {
      const target = sys.readlinkat(from.number, name)
      if (typeof target === 'number') check('readlink', name, target)
      else check('symlink', name, sys.symlinkat(target, to.number, name))
      break
    }
    case DT_CHR:
    case DT_BLK:
    case DT_FIFO:
      check('mknod', name, sys.mknodat(to.number, name, stat.mode, stat.rdevMajor, stat.rdevMinor))
      break
    default:
      return // a socket is nothing without its listener
  }
  check('chown', name, sys.fchownat(to.number, name, stat.uid, stat.gid, AT_SYMLINK_NOFOLLOW))
  // chown(2) clears the setuid bits: the mode comes last. A symlink has none.
  if (type !== DT_LNK) check('chmod', name, sys.fchmodat(to.number, name, mode))
}

function copyBytes(from: Fd, to: Fd): void {
  const buffer = new Uint8Array(chunkBytes)
  for (;;) {
    const got = check('read', from.what, sys.read(from.number, buffer, 0, buffer.length))
    if (got === 0) return
    for (let written = 0; written < got;) written += check('write', to.what, sys.write(to.number, buffer, written, got - written))
  }
}
