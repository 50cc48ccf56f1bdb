/**
 * A confined process's root over the real kernel, on the engine: what a process without privileges finds there. Prints `ok …` or `FAILED …` lines.
 * Argument: a scratch directory. Must run as root.
 */
import * as sys from 'native:sys'
import { O_RDONLY, O_RDWR } from '../../../native/ts/constants/fcntl.ts'
import { SIGCHLD } from '../../../native/ts/constants/signal.ts'
import { P_PID, WEXITED } from '../../../native/ts/constants/wait.ts'
import { check, checked, E } from '../../../native/ts/errno.ts'
import { story } from '../../../native/ts/fault.ts'
import { makeDirectories, readTextIfPresent, writeText } from '../../../native/ts/file.ts'
import { confine, confinementNamespaces } from '../../../shim/hypervisor/confinement/confine.ts'
import { socketDaemonFilter } from '../../../shim/hypervisor/confinement/filter.ts'
import { programFiles } from '../../../shim/hypervisor/confinement/program-files.ts'

const scratch = sys.argv()[1] ?? ''
const say = (text: string) => { const line = sys.utf8Encode(`${text}\n`); sys.write(1, line, 0, line.length) }
const expect = (what: string, truth: boolean) => say(`${truth ? 'ok' : 'FAILED'} ${what}`)
const AT_FDCWD = -100
const opens = (path: string, flags = O_RDONLY) => {
  const fd = sys.openat(AT_FDCWD, path, flags, 0)
  if (fd >= 0) sys.close(fd)
  return fd >= 0
}
const uid = 1_999_999_999

makeDirectories(`${scratch}/writable`)
sys.fchownat(AT_FDCWD, `${scratch}/writable`, uid, uid, 0)
writeText(`${scratch}/private`, 'private', 0o600)
writeText(`${scratch}/public`, 'public', 0o644)
const node = checked('stat', '/dev/zero', sys.statx(AT_FDCWD, '/dev/zero', 0))
const files = programFiles('/bin/ls')
const shim = check('pidfd_open', 'own', sys.pidfdOpen(sys.getpid(), 0))
const child = checked('clone3', '', sys.clone3({ flags: confinementNamespaces, exitSignal: SIGCHLD }))
if (child.pid === 0) {
  try {
    confine({
      root: {
        parts: [
          ...files.map(path => ({ at: path, from: path, use: 'execute' as const })),
          { at: '/guest/private', from: `${scratch}/private`, use: 'read' }, { at: '/guest/public', from: `${scratch}/public`, use: 'read' },
          { at: '/writable', from: `${scratch}/writable`, use: 'write' },
        ],
        devices: [{ path: '/dev/zero', major: node.rdevMajor, minor: node.rdevMinor, uid, gid: uid }],
      },
      privileges: { uid, gid: uid, groups: [] }, openFiles: 100, filter: socketDaemonFilter(),
    }, shim)
    expect('its device opens, for it alone', opens('/dev/zero', O_RDWR))
    expect('a file that others may read is there, read-only', readTextIfPresent('/guest/public') === 'public' && !opens('/guest/public', O_RDWR))
    expect('a file that only root may read is a copy', readTextIfPresent('/guest/private') === 'private' && !opens('/guest/private', O_RDWR))
    expect('programs and libraries are there', files.every(path => opens(path)))
    expect('nothing else of the host is', ['/proc', '/sys', '/home', '/root', '/etc/passwd', '/bin/sh', '/usr/bin/env'].every(path => !opens(path)))
    expect('what it may write it may, and nothing else', sys.writeFile(AT_FDCWD, '/writable/x', 'x', 0o101, 0o600) === 1 && sys.mkdirat(AT_FDCWD, '/x', 0o755) < 0 && sys.mkdirat(AT_FDCWD, '/guest/x', 0o755) < 0)
    expect('it is the first process of its namespace', sys.getpid() === 1)
    expect('its descriptors are bounded', checked('getrlimit', '', sys.getrlimit(0, 7)).hard === 100n)
    expect('calls that are not listed are not there', sys.unshare(0x1000_0000) === -E.ENOSYS && sys.kill(1, 0) === -E.ENOSYS)
    expect('no socket but of the file system opens', sys.socket(2, 1, 0) === -E.EAFNOSUPPORT && sys.socket(40, 1, 0) === -E.EAFNOSUPPORT && sys.socket(1, 1, 0) >= 0)
  } catch (error) {
    say(`FAILED ${story(error)}`)
  }
  sys._exit(0)
}
sys.waitid(P_PID, child.pid, WEXITED)
expect('the host\'s /sys is what it was', opens('/sys/kernel'))
expect('what it wrote is the host\'s', readTextIfPresent(`${scratch}/writable/x`) === 'x')
sys.exit(0)
