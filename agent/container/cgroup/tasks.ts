import * as sys from 'native:sys'
import { O_WRONLY } from '../../../native/ts/constants/fcntl.ts'
import { check } from '../../../native/ts/errno.ts'
import { type Fd, open } from '../../../native/ts/fd.ts'

const ownThread = sys.utf8Encode('0')

/**
 * The way of a process into a cgroup of version 1 by itself, which is by far the quickest (native/ts/enter-cgroup.ts), when
 * it may not open the files, or no longer finds them.
 */
export class CgroupTasks {
  readonly #files: Fd[] = []

  /**
   * Opens the files of `directories`; they are the caller's. What counts is the right of who opens them, not that of the
   * process that enters, which may be in a user namespace. Throws SysError.
   */
  constructor(directories: readonly string[]) {
    try {
      for (const directory of directories) this.#files.push(open(`${directory}/tasks`, O_WRONLY))
    } catch (error) {
      this.close()
      throw error
    }
  }

  get descriptors(): number[] {
    return this.#files.map(file => file.number)
  }

  /** Puts the calling process, which must have one thread, into the cgroup, and closes the files. Throws SysError. */
  enter(): void {
    for (const file of this.#files) check('write', `"0" to ${file.what}`, sys.write(file.number, ownThread, 0, ownThread.length))
    this.close()
  }

  close(): void {
    for (const file of this.#files) file.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }
}
