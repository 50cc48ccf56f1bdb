import * as sys from 'native:sys'
import {
  AT_EMPTY_PATH, AT_FDCWD, AT_REMOVEDIR, AT_SYMLINK_NOFOLLOW, F_GETFD, FD_CLOEXEC, LOCK_EX, LOCK_NB, O_CREAT, O_DIRECTORY, O_EXCL, O_RDONLY, O_RDWR, RESOLVE_BENEATH,
} from '../../../native/ts/constants/fcntl.ts'
import { checked, E } from '../../../native/ts/errno.ts'
import { removeTree } from '../../../native/ts/file.ts'
import { equal, forked, ok, pair, print, readAll, runCases, text, typeError, waitFor, writeAll } from './harness.ts'

/** A new directory, removed after `body`. */
function inDirectory(body: (path: string) => void): void {
  const path = `/tmp/kata-ts-native-${sys.getpid()}`
  equal(sys.mkdirat(AT_FDCWD, path, 0o700), 0)
  try {
    body(path)
  } finally {
    removeTree(path)
  }
}

await runCases({
  'a file is written, read, and refused when it is too large': () => inDirectory(path => {
    const file = `${path}/file`
    equal(sys.writeFile(AT_FDCWD, file, 'grün', O_CREAT | O_EXCL, 0o640), 5)
    equal(text(sys.readFile(AT_FDCWD, file, 5)), 'grün')
    equal(sys.readFile(AT_FDCWD, file, 4), -E.EFBIG)
    equal(sys.writeFile(AT_FDCWD, file, 'x', O_CREAT | O_EXCL, 0o640), -E.EEXIST)
    const large = new Uint8Array(3_000_000).map((_, index) => index * 7)
    equal(sys.writeFile(AT_FDCWD, `${path}/large`, large, O_CREAT, 0o600), large.length)
    equal(sys.sha256(checked('read', 'large', sys.readFile(AT_FDCWD, `${path}/large`, 1e7))), sys.sha256(large))
  }),

  'files of procfs, whose size is 0, are read whole': () => {
    ok(text(sys.readFile(AT_FDCWD, '/proc/self/maps', 1e6)).includes('[stack]'), 'no [stack]')
    equal(sys.readFile(AT_FDCWD, '/proc/nothing', 1e6), -E.ENOENT)
  },

  'statx tells kind, size, times and mount': () => inDirectory(path => {
    sys.writeFile(AT_FDCWD, `${path}/file`, '12345', O_CREAT, 0o604)
    sys.symlinkat('file', AT_FDCWD, `${path}/link`)
    const fd = sys.openat(AT_FDCWD, `${path}/file`, O_RDONLY, 0)
    const stats = [sys.statx(AT_FDCWD, `${path}/link`, 0), sys.statx(fd, '', AT_EMPTY_PATH)].map(stat => checked('statx', 'file', stat))
    for (const stat of stats) {
      equal([stat.mode.toString(8), stat.size, stat.nlink, stat.uid], ['100604', 5, 1, 0])
      ok(Math.abs(stat.mtimeMs - Number(sys.clockGettime(0)) / 1e6) < 5000, 'mtime is not now')
      ok(stat.mountId > 0, 'no mount id')
    }
    equal(checked('statx', 'link', sys.statx(AT_FDCWD, `${path}/link`, AT_SYMLINK_NOFOLLOW)).mode & 0o170000, 0o120000)
    equal(sys.readlinkat(AT_FDCWD, `${path}/link`), 'file')
    const nullDevice = checked('statx', '/dev/null', sys.statx(AT_FDCWD, '/dev/null', 0))
    equal([nullDevice.rdevMajor, nullDevice.rdevMinor], [1, 3])
    sys.close(fd)
  }),

  'readdir gives every entry with its type': () => inDirectory(path => {
    for (let index = 0; index < 1500; index++) sys.symlinkat('x', AT_FDCWD, `${path}/a-rather-long-name-${index}`)
    sys.mkdirat(AT_FDCWD, `${path}/directory`, 0o700)
    const entries = checked('readdir', path, sys.readdir(AT_FDCWD, path))
    equal(new Set(entries.map(entry => entry.name)).size, 1501)
    equal(entries.filter(entry => entry.type === 10).length, 1500)
    equal(entries.find(entry => entry.name === 'directory')?.type, 4)
  }),

  'openat2 does not leave the directory': () => inDirectory(path => {
    sys.symlinkat('/etc', AT_FDCWD, `${path}/out`)
    const directory = sys.openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0)
    equal(sys.openat2(directory, 'out/passwd', O_RDONLY, 0, RESOLVE_BENEATH), -E.EXDEV)
    const inside = sys.openat2(directory, 'in', O_RDWR | O_CREAT, 0o600, RESOLVE_BENEATH)
    ok(inside >= 0, `openat2: ${inside}`)
    sys.close(inside)
    sys.close(directory)
  }),

  'rename, link and unlink': () => inDirectory(path => {
    sys.writeFile(AT_FDCWD, `${path}/a`, 'a', O_CREAT, 0o600)
    equal(sys.linkat(AT_FDCWD, `${path}/a`, AT_FDCWD, `${path}/b`, 0), 0)
    equal(sys.renameat2(AT_FDCWD, `${path}/a`, AT_FDCWD, `${path}/b`, 1), -E.EEXIST)
    equal(sys.renameat2(AT_FDCWD, `${path}/a`, AT_FDCWD, `${path}/c`, 0), 0)
    equal(sys.unlinkat(AT_FDCWD, `${path}/c`, AT_REMOVEDIR), -E.ENOTDIR)
    equal(sys.unlinkat(AT_FDCWD, `${path}/c`, 0), 0)
    equal(sys.mknodat(AT_FDCWD, `${path}/null`, 0o20666, 1, 3), 0)
    equal(sys.fchmodat(AT_FDCWD, `${path}/null`, 0o600), 0)
    equal(sys.fchownat(AT_FDCWD, `${path}/null`, 1, 2, 0), 0)
    const node = checked('statx', 'null', sys.statx(AT_FDCWD, `${path}/null`, 0))
    equal([node.mode.toString(8), node.uid, node.gid, node.rdevMajor], ['20600', 1, 2, 1])
  }),

  'extended attributes': () => inDirectory(path => {
    const value = new Uint8Array([1, 0, 255])
    equal(sys.lsetxattr(path, 'trusted.test', value, 0), 0)
    equal(sys.lgetxattr(path, 'trusted.test', 3), value)
    equal(sys.lgetxattr(path, 'trusted.test', 2), -E.ERANGE)
    equal(sys.lgetxattr(path, 'trusted.none', 2), -E.ENODATA)
  }),

  'new fds are close-on-exec': () => {
    const [reader, writer] = pair(sys.pipe2(0))
    const [one, two] = pair(sys.socketpair(1, 1, 0))
    const fds = [reader, writer, one, two, sys.dup(0), sys.eventfd(0, 0), sys.memfdCreate('m', 0), sys.openat(AT_FDCWD, '/', O_RDONLY, 0), sys.inotifyInit(0), sys.pidfdOpen(sys.getpid(), 0)]
    for (const fd of fds) {
      equal(sys.fcntl(fd, F_GETFD, 0), FD_CLOEXEC, `flags of ${fd}`)
      sys.close(fd)
    }
  },

  'closeRange leaves the loop alive': () => {
    const pid = forked(() => {
      const [reader] = pair(sys.pipe2(0))
      equal(sys.watch(reader, 1, () => {}), 0)
      equal(sys.closeRange(3, 0xffffffff, 0), 0)
      equal(sys.close(reader), -E.EBADF)
      const [again] = pair(sys.pipe2(0))
      equal(sys.watch(again, 1, () => {}), 0)
    })
    equal(waitFor(pid), 0)
  },

  'dup3 puts an fd in its place, and onto itself changes close-on-exec only': () => {
    const [reader, writer] = pair(sys.pipe2(0))
    equal(sys.dup3(writer, 200, 0), 200)
    equal(sys.fcntl(200, F_GETFD, 0), 0)
    equal(sys.dup3(writer, writer, 0), writer)
    equal(sys.fcntl(writer, F_GETFD, 0), 0)
    writeAll(200, sys.utf8Encode('x'))
    sys.close(200)
    sys.close(writer)
    equal(text(readAll(reader)), 'x')
    sys.close(reader)
  },

  'a lock is refused to the second open file': () => inDirectory(path => {
    const [one, two] = [0, 1].map(() => sys.openat(AT_FDCWD, `${path}/lock`, O_RDWR | O_CREAT, 0o600)) as [number, number]
    equal(sys.flock(one, LOCK_EX | LOCK_NB), 0)
    equal(sys.flock(two, LOCK_EX | LOCK_NB), -E.EAGAIN)
    sys.close(one)
    equal(sys.flock(two, LOCK_EX | LOCK_NB), 0)
    sys.close(two)
  }),

  'UTF-8 goes both ways, and what is invalid becomes U+FFFD': () => {
    const sample = 'aé€😀\0z'
    const bytes = sys.utf8Encode(sample)
    equal(bytes.length, 12)
    equal(sys.utf8Decode(bytes, 0, bytes.length), sample)
    equal(sys.utf8Decode(new Uint8Array([65, 255, 66, 0xe2, 0x82]), 0, 5), 'A\ufffdB\ufffd')
    equal(sys.utf8Decode(bytes, 1, 2), 'é')
    equal(sys.utf8Encode('a\ud800b\udfff\ud7ff'), new Uint8Array([97, 239, 191, 189, 98, 239, 191, 189, 0xed, 0x9f, 0xbf]))
    equal(typeError(() => sys.utf8Decode(bytes, 5, 100)), 'native:sys: arguments must be a range inside the buffer')
  },

  'any system call by number': () => {
    equal(sys.syscall(39), sys.getpid())
    equal(sys.syscall(21, '/etc/passwd', 4), 0)
    equal(sys.syscall(21, '/etc/nothing', 4), -E.ENOENT)
  },

  'entropy and the TSC': () => {
    const [one, two] = [new Uint8Array(32), new Uint8Array(32)]
    equal([sys.getrandom(one), sys.getrandom(two)], [32, 32])
    ok(one.join() !== two.join(), 'the same twice')
    equal(sys.addEntropy(one), 0)
    const khz = sys.tscKhz()
    ok(khz > 500_000 && khz < 10_000_000, `${khz} kHz`)
    print(`TSC ${khz} kHz`)
  },
})
