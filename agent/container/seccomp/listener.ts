import * as sys from 'native:sys'
import { AT_FDCWD } from '../../../native/ts/constants/fcntl.ts'
import { S_IFMT, S_IFSOCK } from '../../../native/ts/constants/stat.ts'
import { Fault } from '../../../native/ts/fault.ts'

/** A container whose filter asks an agent that is not there would only fail when it is started: refused when it is created. Throws Fault. */
export function requireListener(path: string): void {
  const stat = sys.statx(AT_FDCWD, path, 0)
  if (typeof stat !== 'number' && (stat.mode & S_IFMT) === S_IFSOCK) return
  throw new Fault(`linux.seccomp.listenerPath ${path} is no socket`, { fix: 'start the seccomp agent first' })
}
