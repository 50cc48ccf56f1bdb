/** The module `native:sys` under vitest: every call is recorded by `fake` and answered from memory. */
import { createHash } from 'node:crypto'
import type * as contract from 'native:sys'
import { E } from '../errno.ts'
import { AT_REMOVEDIR, O_CREAT, O_TRUNC } from '../constants/fcntl.ts'
import { FakeKernel, parentOf } from './kernel.ts'

export const fake = new FakeKernel()
fake.reset()

type Sys = typeof contract
type Name = keyof Sys
type Args<N extends Name> = Sys[N] extends (...args: infer A) => unknown ? A : never
type Result<N extends Name> = Sys[N] extends (...args: never[]) => infer R ? R : never

/** A recorded call with its default behaviour. */
function on<N extends Name>(name: N, run: (...args: Args<N>) => Result<N>): (...args: Args<N>) => Result<N> {
  return (...args) => fake.call(name, args, () => run(...args))
}

/** A recorded call that succeeds and does nothing. */
function ok<N extends Name>(name: N): (...args: Args<N>) => Result<N> {
  return on(name, () => 0 as Result<N>) // only used for calls whose result is a number
}

const stat = (path: string): contract.Stat | number => {
  const node = fake.nodes.get(path)
  if (!node) return -E.ENOENT
  const kinds = { file: 0o100000, directory: 0o040000, link: 0o120000, device: 0o020000, socket: 0o140000 }
  const bits = 'mode' in node ? node.mode & 0o7777 : 0o777
  const device = node.kind === 'device' ? node : { major: 0, minor: 0 }
  return {
    devMajor: 0, devMinor: 1, ino: [...fake.nodes.keys()].indexOf(path) + 1, mode: kinds[node.kind] | bits, nlink: 1, uid: 0, gid: 0,
    rdevMajor: device.major, rdevMinor: device.minor, size: node.kind === 'file' ? node.bytes.length : 0, blocks: 0,
    mtimeMs: 0, ctimeMs: 0, mountId: 1,
  }
}

const openPath = (path: string, flags: number, mode: number): number => {
  const node = fake.nodes.get(path)
  if (!node && !(flags & O_CREAT)) return -E.ENOENT
  if (!node) {
    if (!fake.nodes.has(parentOf(path))) return -E.ENOENT
    fake.put(path, '', mode)
  } else if (flags & O_TRUNC && node.kind === 'file') node.bytes = new Uint8Array(0)
  return fake.install({ what: path, path, position: 0 })
}

export const openat = on('openat', (dirfd, path, flags, mode) => openPath(fake.resolve(dirfd, path), flags, mode))
export const openat2 = on('openat2', (dirfd, path, flags, mode) => openPath(fake.resolve(dirfd, path), flags, mode))
export const close = on('close', fd => fake.closeFd(fd))
export const closeRange = ok('closeRange')
export const read = on('read', (fd, buffer, offset, length) => fake.readFd(fd, buffer, offset, length))
export const write = on('write', (fd, buffer, offset, length) => fake.writeFd(fd, buffer, offset, length))
export const pread = on('pread', (fd, buffer, offset, length) => fake.readFd(fd, buffer, offset, length))
export const pwrite = on('pwrite', (fd, buffer, offset, length) => fake.writeFd(fd, buffer, offset, length))
export const readFile = on('readFile', (dirfd, path, maxBytes) => {
  const node = fake.nodes.get(fake.resolve(dirfd, path))
  if (!node) return -E.ENOENT
  if (node.kind !== 'file') return -E.EISDIR
  return node.bytes.length > maxBytes ? -E.EFBIG : node.bytes.slice()
})
export const writeFile = on('writeFile', (dirfd, path, data, flags, mode) => {
  const full = fake.resolve(dirfd, path)
  const fd = openPath(full, flags, mode)
  if (fd < 0) return fd
  const bytes = typeof data === 'string' ? new TextEncoder().encode(data) : data
  const written = fake.writeFd(fd, bytes, 0, bytes.length)
  fake.fds.delete(fd)
  return written
})
export const statx = on('statx', (dirfd, path) => stat(fake.resolve(dirfd, path)))
export const statfs = on('statfs', () => ({ type: 0x01021994, blockSize: 4096, blocks: 1e6, blocksFree: 1e6, blocksAvailable: 1e6, files: 1e6, filesFree: 1e6, flags: 0 }))
export const mkdirat = on('mkdirat', (dirfd, path, mode) => {
  const full = fake.resolve(dirfd, path)
  if (fake.nodes.has(full)) return -E.EEXIST
  if (!fake.nodes.has(parentOf(full))) return -E.ENOENT
  fake.nodes.set(full, { kind: 'directory', mode })
  return 0
})
export const mknodat = on('mknodat', (dirfd, path, mode, major, minor) => {
  const full = fake.resolve(dirfd, path)
  if (fake.nodes.has(full)) return -E.EEXIST
  fake.nodes.set(full, { kind: 'device', mode, major, minor })
  return 0
})
export const unlinkat = on('unlinkat', (dirfd, path, flags) => {
  const full = fake.resolve(dirfd, path)
  if (!fake.nodes.has(full)) return -E.ENOENT
  if (fake.nodes.get(full)?.kind === 'directory' && !(flags & AT_REMOVEDIR)) return -E.EISDIR
  if (fake.childrenOf(full).length > 0) return -E.ENOTEMPTY
  fake.nodes.delete(full)
  return 0
})
export const renameat2 = on('renameat2', (oldDirfd, oldPath, newDirfd, newPath) => {
  const from = fake.resolve(oldDirfd, oldPath)
  const node = fake.nodes.get(from)
  if (!node) return -E.ENOENT
  fake.nodes.delete(from)
  fake.nodes.set(fake.resolve(newDirfd, newPath), node)
  return 0
})
export const symlinkat = on('symlinkat', (target, dirfd, path) => {
  const full = fake.resolve(dirfd, path)
  if (fake.nodes.has(full)) return -E.EEXIST
  fake.nodes.set(full, { kind: 'link', target })
  return 0
})
export const linkat = ok('linkat')
export const readlinkat = on('readlinkat', (dirfd, path) => {
  const node = fake.nodes.get(fake.resolve(dirfd, path))
  if (!node) return -E.ENOENT
  return node.kind === 'link' ? node.target : -E.EINVAL
})
export const fchmodat = ok('fchmodat')
export const fchmod = ok('fchmod')
export const fchownat = ok('fchownat')
export const faccessat = on('faccessat', (dirfd, path) => (fake.nodes.has(fake.resolve(dirfd, path)) ? 0 : -E.ENOENT))
export const ftruncate = ok('ftruncate')
export const fsync = ok('fsync')
export const flock = ok('flock')
export const readdir = on('readdir', (dirfd, path) => {
  const full = fake.resolve(dirfd, path)
  if (!fake.nodes.has(full)) return -E.ENOENT
  const types = { file: 8, directory: 4, link: 10, device: 2, socket: 12 }
  return fake.childrenOf(full).map(child => ({ name: child.slice(child.lastIndexOf('/') + 1), type: types[fake.nodes.get(child)?.kind ?? 'file'] }))
})
export const dup = on('dup', fd => {
  const file = fake.fds.get(fd)
  return file ? fake.install({ ...file }) : -E.EBADF
})
export const dup3 = ok('dup3')
export const fcntl = ok('fcntl')
export const ioctl = ok('ioctl')
export const ioctlBuffer = ok('ioctlBuffer')
export const pipe2 = on('pipe2', (): [number, number] => {
  const channel = fake.channel()
  return [fake.install({ what: 'pipe read', reads: channel, position: 0 }), fake.install({ what: 'pipe write', writes: channel, position: 0 })]
})
export const eventfd = on('eventfd', () => fake.install({ what: 'eventfd', position: 0 }))
export const memfdCreate = on('memfdCreate', name => fake.install({ what: `memfd ${name}`, position: 0 }))
export const inotifyInit = on('inotifyInit', () => fake.install({ what: 'inotify', position: 0 }))
export const inotifyAddWatch = on('inotifyAddWatch', () => 1)
export const umask = on('umask', () => 0o022)
export const chdir = ok('chdir')
export const fchdir = ok('fchdir')
export const chroot = ok('chroot')
export const getcwd = on('getcwd', () => '/')
export const lgetxattr = on('lgetxattr', () => -E.ENODATA)
export const lsetxattr = ok('lsetxattr')

export const socket = on('socket', () => fake.install({ what: 'socket', position: 0 }))
export const socketpair = on('socketpair', (): [number, number] => {
  const [there, back] = [fake.channel(), fake.channel()]
  return [fake.install({ what: 'socket a', reads: back, writes: there, position: 0 }), fake.install({ what: 'socket b', reads: there, writes: back, position: 0 })]
})
export const bindUnix = on('bindUnix', (_fd, path) => {
  if (fake.nodes.has(path)) return -E.EADDRINUSE
  fake.nodes.set(path, { kind: 'socket' })
  return 0
})
export const connectUnix = on('connectUnix', (_fd, path) => (fake.nodes.has(path) ? 0 : -E.ENOENT))
export const bindVsock = ok('bindVsock')
export const connectVsock = ok('connectVsock')
export const bindInet = ok('bindInet')
export const connectInet = ok('connectInet')
export const bindNetlink = ok('bindNetlink')
export const listen = ok('listen')
export const accept4 = on('accept4', () => -E.EAGAIN)
export const shutdown = on('shutdown', fd => {
  const file = fake.fds.get(fd)
  if (file?.writes) file.writes.writerOpen = false
  fake.poll()
  return 0
})
export const getpeernameVsock = on('getpeernameVsock', () => ({ cid: 3, port: 1024 }))
export const getsocknameVsock = on('getsocknameVsock', () => ({ cid: 2, port: 1024 }))
export const getsockoptInt = ok('getsockoptInt')
export const setsockoptInt = ok('setsockoptInt')
export const getPeerCred = on('getPeerCred', () => ({ pid: 1, uid: 0, gid: 0 }))
export const send = on('send', (fd, buffer, offset, length) => fake.writeFd(fd, buffer, offset, length))
export const recv = on('recv', (fd, buffer, offset, length) => fake.readFd(fd, buffer, offset, length))
export const sendFds = on('sendFds', (_fd, data) => data.length)
export const recvFds = on('recvFds', () => -E.EAGAIN)

export const argv = on('argv', () => fake.argv)
export const environ = on('environ', () => fake.environ)
export const fork = on('fork', () => fake.addProcess().pid)
export const clone3 = on('clone3', () => fake.addProcess())
export const unshare = ok('unshare')
export const setns = ok('setns')
export const execve = ok('execve')
export const execveat = ok('execveat')
/** Thrown where the real process would end. */
export class ProcessEnded extends Error {
  constructor(readonly status: number) {
    super(`process ended with status ${status}`)
  }
}
export const _exit = on('_exit', status => { throw new ProcessEnded(status) })
export const exit = on('exit', status => { throw new ProcessEnded(status) })
export const waitid = on('waitid', (_type, id) => {
  const pid = fake.processes.has(id) ? id : fake.byPidfd(id)
  const process = pid === undefined ? undefined : fake.processes.get(pid)
  if (pid === undefined || !process) return -E.ECHILD
  if (!process.exit) return null
  fake.processes.delete(pid)
  return { pid, code: process.exit.code, status: process.exit.status, uid: 0 }
})
export const kill = ok('kill')
export const pidfdOpen = on('pidfdOpen', pid => fake.install({ what: `pidfd ${pid}`, position: 0 }))
export const pidfdSendSignal = on('pidfdSendSignal', (pidfd, signal) => {
  const pid = fake.byPidfd(pidfd)
  // A process that a test has put into /proc, and that the fake did not clone.
  if (pid === undefined) return fake.nodes.has(`/proc/${fake.fds.get(pidfd)?.what.replace(/^pidfd /, '')}/stat`) ? 0 : -E.ESRCH
  if (signal === 9) fake.exitProcess(pid, 9, 2)
  return 0
})
export const pidfdGetfd = on('pidfdGetfd', () => fake.install({ what: 'pidfd_getfd', position: 0 }))
export const getpid = on('getpid', () => 42)
export const getppid = on('getppid', () => 41)
export const getuid = ok('getuid')
export const geteuid = ok('geteuid')
export const getgid = ok('getgid')
export const getegid = ok('getegid')
export const setsid = on('setsid', () => 42)
export const setpgid = ok('setpgid')
export const setresuid = ok('setresuid')
export const setresgid = ok('setresgid')
export const setgroups = ok('setgroups')
export const prctl = ok('prctl')
export const capget = on('capget', () => ({ effective: 0x1ff_ffff_ffffn, permitted: 0x1ff_ffff_ffffn, inheritable: 0n }))
export const capset = ok('capset')
export const setrlimit = ok('setrlimit')
export const getrlimit = on('getrlimit', () => ({ soft: 1024n, hard: 4096n }))
export const setpriority = ok('setpriority')
export const ioprioSet = ok('ioprioSet')
export const schedSetattr = ok('schedSetattr')
export const schedSetaffinity = ok('schedSetaffinity')
export const personality = ok('personality')
export const sethostname = ok('sethostname')
export const setdomainname = ok('setdomainname')
export const keyctlJoinSession = on('keyctlJoinSession', () => 1)
export const seccompSetModeFilter = ok('seccompSetModeFilter')
export const signalfd = on('signalfd', () => fake.install({ what: 'signalfd', position: 0 }))
export const readSignalfd = on('readSignalfd', () => -E.EAGAIN)
export const resetSignals = ok('resetSignals')
export const ignoreSignal = ok('ignoreSignal')
export const reboot = ok('reboot')
export const sync = on('sync', () => undefined)
export const syncfs = ok('syncfs')
export const syscall = on('syscall', () => 0)

export const mount = on('mount', (source, target, fstype, flags, data) => {
  fake.mounts.push({ source, target, fstype, flags, data })
  return 0
})
export const umount2 = on('umount2', target => {
  const at = fake.mounts.findLastIndex(mounted => mounted.target === target)
  if (at < 0) return -E.EINVAL
  fake.mounts.splice(at, 1)
  return 0
})
export const pivotRoot = ok('pivotRoot')
export const openTree = on('openTree', (_dirfd, path) => fake.install({ what: `tree ${path}`, position: 0 }))
export const moveMount = ok('moveMount')
export const mountSetattr = ok('mountSetattr')
export const fsopen = on('fsopen', fstype => fake.install({ what: `fsopen ${fstype}`, position: 0 }))
export const fsconfig = ok('fsconfig')
export const fsmount = on('fsmount', () => fake.install({ what: 'fsmount', position: 0 }))

export const clockGettime = on('clockGettime', () => BigInt(Date.now()) * 1_000_000n)
export const clockSettime = ok('clockSettime')
export const monotonicMs = on('monotonicMs', () => performance.now())
export const getrandom = on('getrandom', buffer => { buffer.fill(7); return buffer.length })
export const addEntropy = ok('addEntropy')
export const tscKhz = on('tscKhz', () => 2_000_000)

export const watch = on('watch', (fd, events, callback) => {
  if (fake.watches.has(fd)) return -E.EEXIST
  fake.watches.set(fd, { events, callback })
  fake.poll()
  return 0
})
export const rewatch = on('rewatch', (fd, events) => {
  const watched = fake.watches.get(fd)
  if (!watched) return -E.ENOENT
  watched.events = events
  fake.poll()
  return 0
})
export const unwatch = on('unwatch', fd => (fake.watches.delete(fd) ? 0 : -E.ENOENT))
export const setTimer = on('setTimer', (delayMs, callback) => fake.startTimer(delayMs, callback))
export const clearTimer = on('clearTimer', id => fake.stopTimer(id))
export const unref = on('unref', () => undefined)
export const onUnhandledRejection = on('onUnhandledRejection', () => undefined)
export const setFatalLog = on('setFatalLog', () => undefined)
export const setWatchdog = on('setWatchdog', () => undefined)
export const setMemoryLimit = on('setMemoryLimit', () => undefined)
export const memoryUsage = on('memoryUsage', () => ({ heapBytes: 0, objects: 0 }))
export const gc = on('gc', () => undefined)

/** Pumps of the fake end when the test says so, through the `done` it finds in `fake.callsOf('pumpStart')`. */
export const pumpStart = on('pumpStart', () => 1)
export const pumpBytes = ok('pumpBytes')
export const pumpSetTotal = ok('pumpSetTotal')
export const pumpStop = ok('pumpStop')
export const kvmTrial = on('kvmTrial', () => ({ usable: false, reason: 'fake kernel', elapsedMs: 0 }))
export const utf8Encode = on('utf8Encode', text => new TextEncoder().encode(text))
export const utf8Decode = on('utf8Decode', (buffer, offset, length) => new TextDecoder().decode(buffer.subarray(offset, offset + length)))
export const sha256 = on('sha256', data => new Uint8Array(createHash('sha256').update(data).digest()))
