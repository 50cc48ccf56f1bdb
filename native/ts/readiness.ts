import * as sys from 'native:sys'
import { EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT } from './constants/epoll.ts'
import { check } from './errno.ts'
import type { Fd } from './fd.ts'

/** Resolves when a read (or accept) would not block; an error or hang-up counts. Borrows `fd`, which must stay open till then. */
export function whenReadable(fd: Fd): Promise<void> {
  return once(fd, EPOLLIN)
}

/** Resolves when a write would not block, or a connect has ended; an error counts. Borrows `fd`. */
export function whenWritable(fd: Fd): Promise<void> {
  return once(fd, EPOLLOUT)
}

/** epoll_wait(2) always reports EPOLLERR and EPOLLHUP: whoever waits learns of them by its next call on the fd. */
function once(fd: Fd, event: number): Promise<void> {
  return new Promise(resolve => {
    const number = fd.number
    const started = sys.watch(number, event, seen => {
      if ((seen & (event | EPOLLERR | EPOLLHUP)) === 0) return
      sys.unwatch(number)
      resolve()
    })
    check('epoll_ctl', fd.what, started)
  })
}
