import * as sys from 'native:sys'
import { O_RDONLY } from '../../native/ts/constants/fcntl.ts'
import { check, E, SysError } from '../../native/ts/errno.ts'
import { Fault } from '../../native/ts/fault.ts'
import { Fd, open } from '../../native/ts/fd.ts'
import { fstat } from '../../native/ts/file.ts'

/** sendfile(2), x86_64 */
const SYS_sendfile = 40

/**
 * Opens a file so that a process without privileges can open it again as /proc/self/fd/<n>, wherever it lies: the
 * directories on its path do not matter there, only its own mode. A file that others may not read is lent as a copy.
 * The caller owns the result. Throws Fault that names `what` and the configuration's `key`.
 */
export function lend(path: string, what: string, key: string): Fd {
  let file: Fd
  try {
    file = open(path, O_RDONLY)
  } catch (cause) {
    throw new Fault(`${what} ${path} cannot be read`, { cause, fix: `build or install it, or set ${key} in the configuration` })
  }
  const { mode, size } = fstat(file.number, path)
  if ((mode & 0o170000) !== 0o100000) {
    file.close()
    throw new Fault(`${what} ${path} is no file`, { fix: `set ${key} in the configuration` })
  }
  if (mode & 0o004) return file
  using original = file
  return copyOf(original, size, path)
}

function copyOf(file: Fd, size: number, path: string): Fd {
  const copy = new Fd(check('memfd_create', path, sys.memfdCreate('kata-ts', 0)), `copy of ${path}`)
  for (let done = 0; done < size;) {
    const moved = sys.syscall(SYS_sendfile, copy.number, file.number, null, size - done)
    if (moved <= 0) {
      copy.close()
      throw new SysError('sendfile', path, moved === 0 ? E.EIO : -moved)
    }
    done += moved
  }
  return copy
}
