import * as sys from 'native:sys'
import { O_NOCTTY, O_RDWR } from './constants/fcntl.ts'
import { TIOCGPTN, TIOCGPTPEER, TIOCSPTLCK, TIOCSWINSZ } from './constants/ioctl.ts'
import { check } from './errno.ts'
import { Fd, open } from './fd.ts'

export interface Pty {
  master: Fd
  slave: Fd
  /** The slave's number in its devpts. */
  index: number
}

/**
 * A new pseudo-terminal of the devpts instance at `devpts` (pts(4)); the caller owns both ends.
 * The slave is opened through the master (TIOCGPTPEER), so that no path of a container is trusted.
 */
export function openPty(devpts = '/dev/pts'): Pty {
  using master = open(`${devpts}/ptmx`, O_RDWR | O_NOCTTY)
  const word = new Uint8Array(4)
  check('ioctl TIOCSPTLCK', master.what, sys.ioctlBuffer(master.number, TIOCSPTLCK, word))
  check('ioctl TIOCGPTN', master.what, sys.ioctlBuffer(master.number, TIOCGPTN, word))
  const index = new DataView(word.buffer).getUint32(0, true)
  const slave = check('ioctl TIOCGPTPEER', master.what, sys.ioctl(master.number, TIOCGPTPEER, O_RDWR | O_NOCTTY))
  return { slave: new Fd(slave, `${devpts}/${index}`), index, master: new Fd(master.release(), `pty master ${index}`) }
}

/** Sets a terminal's size in character cells (struct winsize, asm-generic/termios.h). Borrows `fd`. */
export function setWindowSize(fd: number, size: { width: number; height: number }): void {
  const winsize = new DataView(new ArrayBuffer(8))
  winsize.setUint16(0, size.height, true)
  winsize.setUint16(2, size.width, true)
  check('ioctl TIOCSWINSZ', `${size.width}x${size.height}`, sys.ioctlBuffer(fd, TIOCSWINSZ, new Uint8Array(winsize.buffer)))
}
