import * as sys from 'native:sys'
import { check } from '../../native/ts/errno.ts'

/** include/uapi/asm-generic/ioctls.h */
const TCGETS = 0x5401
const TCSETS = 0x5402
/** struct termios (asm-generic/termbits.h): four flag words, the line discipline, 19 control characters. */
const termiosBytes = 36
/** asm-generic/termbits-common.h and termbits.h */
const IGNBRK = 0o1, BRKINT = 0o2, PARMRK = 0o10, ISTRIP = 0o40, INLCR = 0o100, IGNCR = 0o200, ICRNL = 0o400, IXON = 0o2000
const OPOST = 0o1
const ECHO = 0o10, ECHONL = 0o100, ICANON = 0o2, ISIG = 0o1, IEXTEN = 0o100000
const CSIZE = 0o60, PARENB = 0o400, CS8 = 0o60
const VTIME = 5, VMIN = 6
const controlCharacters = 17

/** Puts the terminal `fd` (borrowed) into raw mode, as cfmakeraw(3); gives its way back. Does nothing when it is no terminal. */
export function makeRaw(fd: number): () => void {
  const saved = new Uint8Array(termiosBytes)
  if (sys.ioctlBuffer(fd, TCGETS, saved) < 0) return () => undefined
  const raw = saved.slice()
  const words = new DataView(raw.buffer)
  const clear = (offset: number, flags: number, set = 0) => words.setUint32(offset, (words.getUint32(offset, true) & ~flags | set) >>> 0, true)
  clear(0, IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON)
  clear(4, OPOST)
  clear(8, CSIZE | PARENB, CS8)
  clear(12, ECHO | ECHONL | ICANON | ISIG | IEXTEN)
  raw[controlCharacters + VMIN] = 1
  raw[controlCharacters + VTIME] = 0
  check('ioctl TCSETS', `descriptor ${fd}`, sys.ioctlBuffer(fd, TCSETS, raw))
  return () => { sys.ioctlBuffer(fd, TCSETS, saved) }
}
