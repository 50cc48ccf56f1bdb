import * as sys from 'native:sys'
import { EPOLLIN } from '../../../../native/ts/constants/epoll.ts'
import { IN_MODIFY, IN_NONBLOCK } from '../../../../native/ts/constants/fcntl.ts'
import { check } from '../../../../native/ts/errno.ts'
import { Fd } from '../../../../native/ts/fd.ts'

/**
 * Calls `look` now and after each change that the kernel makes to a cgroup file (inotify(7) on kernfs: cgroup.events,
 * memory.events); gives the end of the watch.
 */
export function watchEvents(path: string, look: () => void): () => void {
  const inotify = new Fd(check('inotify_init1', path, sys.inotifyInit(IN_NONBLOCK)), `inotify of ${path}`)
  const stop = () => {
    if (!inotify.open) return
    sys.unwatch(inotify.number)
    inotify.close()
  }
  const buffer = new Uint8Array(4096)
  try {
    check('inotify_add_watch', path, sys.inotifyAddWatch(inotify.number, path, IN_MODIFY))
    check('epoll_ctl', path, sys.watch(inotify.number, EPOLLIN, () => {
      sys.read(inotify.number, buffer, 0, buffer.length)
      look()
    }))
  } catch (error) {
    inotify.close()
    throw error
  }
  // A change just before the watch began would otherwise be waited for in vain. `look` may end the watch at once,
  // which it can only do through the function this call gives.
  queueMicrotask(look)
  return stop
}
