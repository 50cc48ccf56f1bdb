import * as sys from 'native:sys'
import { AT_FDCWD } from './constants/fcntl.ts'
import { check } from './errno.ts'

/** An open file descriptor with one owner. Closing twice is harmless; using it after that throws. */
export class Fd {
  #number: number

  /** Takes ownership of `number`. `what` names the file in errors. */
  constructor(number: number, readonly what: string) {
    this.#number = number
  }

  /** The descriptor's number, lent to the caller. Throws when it is closed or was given away. */
  get number(): number {
    if (this.#number < 0) throw new TypeError(`${this.what}: used after close`)
    return this.#number
  }

  get open(): boolean {
    return this.#number >= 0
  }

  /** Gives ownership away: this object is closed from now on, the descriptor is not. */
  release(): number {
    const number = this.number
    this.#number = -1
    return number
  }

  /** Closes the descriptor. close(2) errors are not reported: the descriptor is gone in every case. */
  close(): void {
    if (this.#number < 0) return
    sys.close(this.#number)
    this.#number = -1
  }

  [Symbol.dispose](): void {
    this.close()
  }
}

/** openat(2) with O_CLOEXEC. The caller owns the result. Throws SysError. */
export function open(path: string, flags: number, mode = 0, dirfd: number = AT_FDCWD): Fd {
  return new Fd(check('open', path, sys.openat(dirfd, path, flags, mode)), path)
}

/** A duplicate of `fd` (borrowed); the caller owns the result. */
export function duplicate(fd: number, what: string): Fd {
  return new Fd(check('dup', what, sys.dup(fd)), what)
}

/** pipe2(2) with O_CLOEXEC and `flags`; the caller owns both ends. */
export function pipe(what: string, flags = 0): { reader: Fd; writer: Fd } {
  const ends = sys.pipe2(flags)
  if (typeof ends === 'number') {
    check('pipe2', what, ends)
    throw new TypeError(`pipe2 gave ${ends} and no ends`)
  }
  return { reader: new Fd(ends[0], `${what} (read end)`), writer: new Fd(ends[1], `${what} (write end)`) }
}
