import * as sys from 'native:sys'
import { O_DIRECTORY, O_PATH, AT_FDCWD } from '../../native/ts/constants/fcntl.ts'
import { E, SysError } from '../../native/ts/errno.ts'
import { Fd, open } from '../../native/ts/fd.ts'
import { connectUnix, listenUnix } from '../../native/ts/socket.ts'

/**
 * A directory of unix sockets that may have a path of any length: sun_path holds 107 bytes (unix(7)), a state
 * directory with a long namespace and a 64-digit id does not fit. Sockets are named through /proc/self/fd instead.
 */
export class SocketDirectory {
  readonly #fd: Fd

  /** Throws SysError. */
  constructor(readonly path: string) {
    this.#fd = open(path, O_PATH | O_DIRECTORY)
  }

  /** Throws SysError; an old socket of that name is removed first. */
  listen(name: string): Fd {
    this.remove(name)
    return listenUnix(this.#short(name))
  }

  /** Throws SysError. `what` names the connection in errors. */
  connect(name: string, what: string): Fd {
    return new Fd(connectUnix(this.#short(name)).release(), what)
  }

  /** Idempotent. */
  remove(name: string): void {
    const result = sys.unlinkat(AT_FDCWD, `${this.path}/${name}`, 0)
    if (result < 0 && result !== -E.ENOENT) throw new SysError('unlink', `${this.path}/${name}`, -result)
  }

  close(): void {
    this.#fd.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #short(name: string): string {
    return `/proc/self/fd/${this.#fd.number}/${name}`
  }
}
