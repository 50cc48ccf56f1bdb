import * as sys from 'native:sys'
import { EPOLLIN } from '../../native/ts/constants/epoll.ts'
import { AF_NETLINK, NETLINK_ROUTE, SOCK_NONBLOCK, SOCK_RAW } from '../../native/ts/constants/socket.ts'
import { check, E } from '../../native/ts/errno.ts'
import { Fd } from '../../native/ts/fd.ts'

/** Groups of include/uapi/linux/rtnetlink.h: links, and addresses and routes of both families. */
const groups = 0x1 | 0x10 | 0x40 | 0x100 | 0x400
/** Messages taken in one turn: a namespace that changes all the time must not starve the loop. */
const maxReadsATurn = 64

/** Notices that something changed in the network namespace in which it was made; what, its user has to look for. */
export class NetworkWatch implements Disposable {
  readonly #fd: Fd
  readonly #buffer = new Uint8Array(16 * 1024)
  #isDirty = false
  #isWatched = false

  /** Throws SysError. */
  constructor() {
    this.#fd = new Fd(check('socket', 'rtnetlink notifications', sys.socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK, NETLINK_ROUTE)), 'rtnetlink notifications')
    const bound = sys.bindNetlink(this.#fd.number, 0, groups)
    if (bound < 0) this.#fd.close()
    check('bind', this.#fd.what, bound)
  }

  /** `changed` is called, from the loop, when something changed. */
  onChange(changed: () => void): void {
    check('epoll_ctl', this.#fd.what, sys.watch(this.#fd.number, EPOLLIN, () => {
      this.#drain()
      changed()
    }))
    this.#isWatched = true
    sys.unref(this.#fd.number)
  }

  /** Whether something changed since the last call. */
  take(): boolean {
    this.#drain()
    const isDirty = this.#isDirty
    this.#isDirty = false
    return isDirty
  }

  /** Something is to be looked at anew. */
  mark(): void {
    this.#isDirty = true
  }

  [Symbol.dispose](): void {
    if (!this.#fd.open) return
    if (this.#isWatched) sys.unwatch(this.#fd.number)
    this.#fd.close()
  }

  #drain(): void {
    if (!this.#fd.open) return
    for (let turn = 0; turn < maxReadsATurn; turn++) {
      const got = sys.recv(this.#fd.number, this.#buffer, 0, this.#buffer.length, 0)
      // ENOBUFS: messages were lost, which is a change as well.
      if (got > 0 || got === -E.ENOBUFS) this.#isDirty = true
      else return
    }
  }
}
