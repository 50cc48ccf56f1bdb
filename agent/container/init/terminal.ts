import * as sys from 'native:sys'
import { AT_EMPTY_PATH, O_DIRECTORY, O_NOFOLLOW } from '../../../native/ts/constants/fcntl.ts'
import { TIOCSCTTY } from '../../../native/ts/constants/ioctl.ts'
import { S_IFCHR, S_IFMT } from '../../../native/ts/constants/stat.ts'
import { check, checked } from '../../../native/ts/errno.ts'
import { Fault } from '../../../native/ts/fault.ts'
import { openPty, type Pty, setWindowSize } from '../../../native/ts/pty.ts'
import type { WindowSize } from '../options.ts'
import { attach, cloneTree } from '../rootfs/mount-calls.ts'
import { isSymlink, type Root } from '../rootfs/root.ts'

/**
 * A pty of the container's own devpts, so that the terminal has a name inside. `root` leads to it without
 * trusting a path of the container; what is opened there must be the multiplexer itself.
 */
export function openTerminal(root: Root, size: WindowSize | undefined): Pty {
  using devpts = root.find('/dev/pts', O_DIRECTORY)
  if (!devpts) throw new Fault('a terminal was asked for, but the container has no /dev/pts', { fix: 'mount devpts there, or run it without a terminal' })
  using multiplexer = root.find('/dev/pts/ptmx', O_NOFOLLOW)
  // Character device 5:2 (Documentation/admin-guide/devices.txt).
  const stat = multiplexer && checked('statx', '/dev/pts/ptmx', sys.statx(multiplexer.number, '', AT_EMPTY_PATH))
  if (!stat || (stat.mode & S_IFMT) !== S_IFCHR || stat.rdevMajor !== 5 || stat.rdevMinor !== 2) {
    throw new Fault('/dev/pts/ptmx of the container is no pty multiplexer', { fix: 'mount devpts on /dev/pts' })
  }
  const pty = openPty(devpts)
  if (size && size.width > 0 && size.height > 0) setWindowSize(pty.slave.number, size)
  return pty
}

/** The terminal as /dev/console. The mount's source is the slave's descriptor, not its name (CVE-2025-52565). */
export function bindConsole(root: Root, pty: Pty): void {
  using there = root.find('/dev/console', O_NOFOLLOW)
  if (there && isSymlink(there)) throw new Fault('/dev/console of the container is a symlink')
  using at = root.mountPoint('/dev/console', false)
  using slave = cloneTree(pty.slave.number, '', false, pty.slave.what)
  attach(slave, at)
}

/** Makes descriptor 0 the controlling terminal of this session leader. */
export function controlTerminal(): void {
  check('ioctl TIOCSCTTY', 'descriptor 0', sys.ioctl(0, TIOCSCTTY, 0))
}
