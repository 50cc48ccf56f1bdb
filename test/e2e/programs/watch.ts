/**
 * What a program in a container does with shared files, without a library:
 *
 *   watch DIRECTORY   prints `watching`, then a line for each name that is made, moved here or removed (inotify(7))
 *   lock FILE         prints `locked` or `busy` (flock(2)), and keeps the lock until it is killed
 */
import * as sys from 'native:sys'
import { IN_CREATE, IN_DELETE, IN_MOVED_TO, LOCK_EX, LOCK_NB, O_RDWR } from '../../../native/ts/constants/fcntl.ts'
import { check, E } from '../../../native/ts/errno.ts'
import { open } from '../../../native/ts/fd.ts'

const say = (text: string): void => { const line = sys.utf8Encode(`${text}\n`); sys.write(1, line, 0, line.length) }
const kinds: readonly (readonly [mask: number, name: string])[] = [[IN_CREATE, 'created'], [IN_MOVED_TO, 'moved'], [IN_DELETE, 'deleted']]

const [, verb = '', path = ''] = sys.argv()
if (verb === 'watch') watch()
else lock()

function watch(): void {
  const inotify = check('inotify_init1', '', sys.inotifyInit(0))
  check('inotify_add_watch', path, sys.inotifyAddWatch(inotify, path, IN_CREATE | IN_MOVED_TO | IN_DELETE))
  say('watching')
  const buffer = new Uint8Array(64 * 1024)
  for (;;) {
    const got = check('read', 'inotify', sys.read(inotify, buffer, 0, buffer.length))
    const view = new DataView(buffer.buffer)
    // struct inotify_event: wd, mask, cookie, len, name[len]
    for (let at = 0; at < got; at += 16 + view.getUint32(at + 12, true)) {
      const name = sys.utf8Decode(buffer, at + 16, view.getUint32(at + 12, true)).replace(/\0+$/, '')
      for (const [mask, kind] of kinds) if (view.getUint32(at + 4, true) & mask) say(`${kind} ${name}`)
    }
  }
}

function lock(): void {
  const file = open(path, O_RDWR)
  const locked = sys.flock(file.number, LOCK_EX | LOCK_NB)
  if (locked === -E.EAGAIN) {
    say('busy')
    return
  }
  check('flock', path, locked)
  say('locked')
  sys.setTimer(3_600_000, () => {})
}
