import * as sys from 'native:sys'
import { EPOLLIN } from '../../native/ts/constants/epoll.ts'
import { IN_CLOEXEC, IN_CREATE, IN_DELETE, IN_MOVED_TO, IN_NONBLOCK, IN_ONLYDIR } from '../../native/ts/constants/fcntl.ts'
import { check, E } from '../../native/ts/errno.ts'
import { Fd } from '../../native/ts/fd.ts'

/** inotify_rm_watch(2), x86_64 */
const SYS_inotify_rm_watch = 255
/** Where the kernel gives no inotify instance (fs.inotify.max_user_instances, 128 for all shims of a node), directories are looked at instead. */
const pollMs = 1_000
/** struct inotify_event with the longest name (inotify(7)). */
const eventBytes = 16 + 256

/**
 * Tells when names in directories are made, replaced or removed. One inotify instance for all of a sandbox's, made with
 * the first. What it tells is a reason to look, no more: events of one kind are merged, and some are about nothing new.
 */
export class DirectoryWatch {
  #inotify: Fd | undefined
  #timer = 0
  /** Below every watch descriptor, and -1. */
  #lastKey = -1
  readonly #changed = new Map<number, () => void>()

  /** `polling` is told why, once, when directories must be looked at instead. */
  constructor(private readonly polling: (why: string) => void) {}

  /** Calls `changed` after each change in `directory` from now on, until the function that it gives is called. Throws SysError. */
  add(directory: string, changed: () => void): () => void {
    const inotify = this.#open()
    if (!inotify) return this.#poll(changed)
    const watch = check('inotify_add_watch', directory, sys.inotifyAddWatch(inotify.number, directory, IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_ONLYDIR))
    this.#changed.set(watch, changed)
    return () => {
      // Gone already when the directory is.
      if (this.#changed.delete(watch) && inotify.open) sys.syscall(SYS_inotify_rm_watch, inotify.number, watch)
    }
  }

  /** Idempotent. */
  close(): void {
    if (this.#inotify?.open) sys.unwatch(this.#inotify.number)
    this.#inotify?.close()
    if (this.#timer) sys.clearTimer(this.#timer)
    this.#timer = 0
    this.#changed.clear()
  }

  #open(): Fd | undefined {
    if (this.#inotify ?? this.#timer) return this.#inotify
    const made = sys.inotifyInit(IN_NONBLOCK | IN_CLOEXEC)
    if (made === -E.EMFILE || made === -E.ENFILE) {
      this.polling('no inotify instance is left (fs.inotify.max_user_instances)')
      this.#tick()
      return undefined
    }
    const inotify = this.#inotify = new Fd(check('inotify_init1', '', made), 'inotify')
    check('epoll_ctl', 'inotify', sys.watch(inotify.number, EPOLLIN, () => this.#read(inotify)))
    return inotify
  }

  #read(inotify: Fd): void {
    const buffer = new Uint8Array(64 * eventBytes)
    const got = sys.read(inotify.number, buffer, 0, buffer.length)
    const view = new DataView(buffer.buffer)
    const seen = new Set<number>()
    // struct inotify_event: wd, mask, cookie, len, name[len]
    for (let at = 0; at + 16 <= got; at += 16 + view.getUint32(at + 12, true)) seen.add(view.getInt32(at, true))
    // -1: the queue overflowed, and any may have changed.
    for (const [watch, changed] of [...this.#changed]) if (seen.has(watch) || seen.has(-1)) changed()
  }

  #poll(changed: () => void): () => void {
    const key = --this.#lastKey
    this.#changed.set(key, changed)
    return () => void this.#changed.delete(key)
  }

  #tick(): void {
    this.#timer = sys.setTimer(pollMs, () => {
      for (const changed of [...this.#changed.values()]) changed()
      this.#tick()
    })
  }
}
