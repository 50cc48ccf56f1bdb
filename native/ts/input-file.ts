import * as sys from 'native:sys'
import { MFD_CLOEXEC } from './constants/fcntl.ts'
import { check } from './errno.ts'
import { Fd } from './fd.ts'

/**
 * A file in memory that reads as `text` from its start, for a program's stdin: of any length, with nobody who waits
 * whether it is read. The caller owns it. Throws SysError.
 */
export function inputFile(what: string, text: string): Fd {
  const file = new Fd(check('memfd_create', what, sys.memfdCreate('input', MFD_CLOEXEC)), what)
  try {
    const bytes = sys.utf8Encode(text)
    // At a position, so that the descriptor's own stays at the start.
    for (let at = 0; at < bytes.length;) at += check('pwrite', what, sys.pwrite(file.number, bytes, at, bytes.length - at, at))
    return file
  } catch (error) {
    file.close()
    throw error
  }
}
