import * as sys from 'native:sys'
import { AT_FDCWD, O_NOCTTY, O_NOFOLLOW, O_RDWR } from './constants/fcntl.ts'
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
 * A new pseudo-terminal of the devpts instance whose directory `devpts` is (borrowed; pts(4)); the caller owns both ends. The slave is opened
 * through the master (TIOCGPTPEER) and the multiplexer is never a link, so that no path of a container is trusted.
 */
export function openPty(devpts: Pick<Fd, 'number' | 'what'> = { number: AT_FDCWD, what: '/dev/pts' }): Pty {
  const name = devpts.number === AT_FDCWD ? `${devpts.what}/ptmx` : 'ptmx'
  using master = open(name, O_RDWR | O_NOCTTY | O_NOFOLLOW, 0, devpts.number)
  const word = new Uint8Array(4)
  check('ioctl TIOCSPTLCK', master.what, sys.ioctlBuffer(master.number, TIOCSPTLCK, word))
  check('ioctl TIOCGPTN', master.what, sys.ioctlBuffer(master.number, TIOCGPTN, word))
  const index = new DataView(word.buffer).getUint32(0, true)
  const slave = check('ioctl TIOCGPTPEER', master.what, sys.ioctl(master.number, TIOCGPTPEER, O_RDWR | O_NOCTTY))
  return { slave: new Fd(slave, `${devpts.what}/${index}`), index, master: new Fd(master.release(), `pty master ${index}`) }
}

/** Sets a terminal's size in character cells (struct winsize, asm-generic/termios.h). Borrows `fd`. */
export function setWindowSize(fd: number, size: { width: number; height: number }): void {
  const winsize = new DataView(new ArrayBuffer(8))
  winsize.setUint16(0, size.height, true)
  winsize.setUint16(2, size.width, true)
  check('ioctl TIOCSWINSZ', `${size.width}x${size.height}`, sys.ioctlBuffer(fd, TIOCSWINSZ, new Uint8Array(winsize.buffer)))
}
