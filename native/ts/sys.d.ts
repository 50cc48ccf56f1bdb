/**
 * The face of the Rust binary: system calls and the event loop, with nothing decided.
 * Generated from native/src/sys by native/build/generate-dts.ts: change it there.
 *
 * Conventions
 * - A function that gives a number gives the call's result, or a negative errno (-ENOENT = -2).
 * - A function that gives data gives it, or a negative errno: `typeof r === 'number'` is failure.
 * - Nothing here throws but a TypeError for arguments of a wrong type or range.
 * - Buffers are borrowed for the call only. fds are plain numbers; who owns them is said in native/ts.
 * - EINTR is retried inside; EAGAIN is returned. New fds are close-on-exec.
 * - Constants (flags, ioctl numbers, …) live in native/ts/constants/, each with its kernel header.
 */
declare module 'native:sys' {
  // ── Files ─────────────────────────────────────────────────────────────────────────────────────────
  export interface DirectoryEntry {
    name: string
    type: number
  }
  /** openat(2); O_CLOEXEC is always added. */
  export function openat(dirfd: number, path: string, flags: number, mode: number): number
  /** openat2(2); O_CLOEXEC is always added. `resolve`: RESOLVE_* of linux/openat2.h. */
  export function openat2(dirfd: number, path: string, flags: number, mode: number, resolve: number): number
  /** close(2), never retried: the fd is gone whatever it says. */
  export function close(fd: number): number
  /** close_range(2), both ends included; fds of the event loop itself are left out. */
  export function closeRange(first: number, last: number, flags: number): number
  /** read(2) into `buffer[offset, offset+length)`; 0 is end of file. */
  export function read(fd: number, buffer: Uint8Array, offset: number, length: number): number
  /** write(2) from `buffer[offset, offset+length)`. */
  export function write(fd: number, buffer: Uint8Array, offset: number, length: number): number
  export function pread(fd: number, buffer: Uint8Array, offset: number, length: number, position: number): number
  export function pwrite(fd: number, buffer: Uint8Array, offset: number, length: number, position: number): number
  /** The whole file, read until end of file; -EFBIG when it holds more than `maxBytes`. */
  export function readFile(dirfd: number, path: string, maxBytes: number): Uint8Array | number
  /** open, write all, close. Gives the number of bytes. `flags` without access mode: O_WRONLY is added. */
  export function writeFile(dirfd: number, path: string, data: string | Uint8Array, flags: number, mode: number): number
  export function ftruncate(fd: number, lengthBytes: number): number
  export function fsync(fd: number): number
  /** flock(2); pass LOCK_NB for a try. */
  export function flock(fd: number, operation: number): number
  /** Names and DT_* types of the entries, without `.` and `..`. */
  export function readdir(dirfd: number, path: string): DirectoryEntry[] | number
  export function sync(): void
  export function syncfs(fd: number): number

  // ── Files: what they are ──────────────────────────────────────────────────────────────────────────
  export interface Stat {
    devMajor: number
    devMinor: number
    ino: number
    mode: number
    nlink: number
    uid: number
    gid: number
    rdevMajor: number
    rdevMinor: number
    size: number
    blocks: number
    mtimeMs: number
    ctimeMs: number
    mountId: number
  }
  export interface StatFs {
    type: number
    blockSize: number
    blocks: number
    blocksFree: number
    blocksAvailable: number
    files: number
    filesFree: number
    flags: number
  }
  /** statx(2) with AT_* `flags`; an empty path with AT_EMPTY_PATH stats `dirfd` itself. */
  export function statx(dirfd: number, path: string, flags: number): Stat | number
  export function statfs(path: string): StatFs | number
  export function faccessat(dirfd: number, path: string, mode: number, flags: number): number
  /** lgetxattr(2); -ERANGE when the value has more than `maxBytes`. */
  export function lgetxattr(path: string, name: string, maxBytes: number): Uint8Array | number
  export function lsetxattr(path: string, name: string, value: Uint8Array, flags: number): number
  export function fchmodat(dirfd: number, path: string, mode: number): number
  export function fchmod(fd: number, mode: number): number
  export function fchownat(dirfd: number, path: string, uid: number, gid: number, flags: number): number

  // ── Files: names and directories ──────────────────────────────────────────────────────────────────
  export function mkdirat(dirfd: number, path: string, mode: number): number
  export function mknodat(dirfd: number, path: string, mode: number, major: number, minor: number): number
  export function unlinkat(dirfd: number, path: string, flags: number): number
  export function renameat2(oldDirfd: number, oldPath: string, newDirfd: number, newPath: string, flags: number): number
  export function symlinkat(target: string, dirfd: number, path: string): number
  export function linkat(oldDirfd: number, oldPath: string, newDirfd: number, newPath: string, flags: number): number
  export function readlinkat(dirfd: number, path: string): string | number
  export function umask(mask: number): number
  export function chdir(path: string): number
  export function fchdir(fd: number): number
  export function chroot(path: string): number
  export function getcwd(): string | number
  export function inotifyInit(flags: number): number
  export function inotifyAddWatch(fd: number, path: string, mask: number): number

  // ── Files: descriptors ────────────────────────────────────────────────────────────────────────────
  export function dup(fd: number): number
  /** dup3(2); gives `newFd` also when both are the same (as dup2 does). */
  export function dup3(oldFd: number, newFd: number, flags: number): number
  export function fcntl(fd: number, command: number, argument: number): number
  /** ioctl(2) with an integer argument. */
  export function ioctl(fd: number, request: number, argument: number): number
  /** ioctl(2) with a pointer to `buffer`, which the kernel may read and write. */
  export function ioctlBuffer(fd: number, request: number, buffer: Uint8Array): number
  /** pipe2(2): reader, writer. */
  export function pipe2(flags: number): [number, number] | number
  export function eventfd(initial: number, flags: number): number
  export function memfdCreate(name: string, flags: number): number

  // ── Sockets ───────────────────────────────────────────────────────────────────────────────────────
  export interface VsockAddress {
    cid: number
    port: number
  }
  export interface PeerCredentials {
    pid: number
    uid: number
    gid: number
  }
  /** socket(2); SOCK_CLOEXEC is always added. */
  export function socket(domain: number, type: number, protocol: number): number
  /** socketpair(2); SOCK_CLOEXEC is always added. */
  export function socketpair(domain: number, type: number, protocol: number): [number, number] | number
  export function bindUnix(fd: number, path: string): number
  /** A path that starts with NUL is in the abstract namespace. -EINPROGRESS/-EAGAIN on a non-blocking socket. */
  export function connectUnix(fd: number, path: string): number
  export function bindVsock(fd: number, cid: number, port: number): number
  export function connectVsock(fd: number, cid: number, port: number): number
  /** IPv4 or IPv6 address in text form. */
  export function bindInet(fd: number, address: string, port: number): number
  export function connectInet(fd: number, address: string, port: number): number
  export function bindNetlink(fd: number, pid: number, groups: number): number
  export function listen(fd: number, backlog: number): number
  /** accept4(2); SOCK_CLOEXEC is always added to `flags`. */
  export function accept4(fd: number, flags: number): number
  export function shutdown(fd: number, how: number): number
  /** Peer of a connected AF_VSOCK socket. */
  export function getpeernameVsock(fd: number): VsockAddress | number
  export function getsocknameVsock(fd: number): VsockAddress | number
  export function getsockoptInt(fd: number, level: number, name: number): number
  export function setsockoptInt(fd: number, level: number, name: number, value: number): number
  /** SO_PEERCRED. */
  export function getPeerCred(fd: number): PeerCredentials | number
  /** send(2) with `flags` (MSG_NOSIGNAL is always added). */
  export function send(fd: number, buffer: Uint8Array, offset: number, length: number, flags: number): number
  export function recv(fd: number, buffer: Uint8Array, offset: number, length: number, flags: number): number

  // ── Sockets: file descriptors in messages ─────────────────────────────────────────────────────────
  export interface ReceivedFds {
    bytes: number
    fds: number[]
  }
  /** sendmsg(2) with SCM_RIGHTS; the fds are borrowed. */
  export function sendFds(fd: number, data: Uint8Array, fds: number[]): number
  /** recvmsg(2) with SCM_RIGHTS and MSG_CMSG_CLOEXEC; the caller owns the fds. -EMSGSIZE (and every fd closed) on MSG_CTRUNC. */
  export function recvFds(fd: number, buffer: Uint8Array, maxFds: number): ReceivedFds | number

  // ── Processes: fork and execve ────────────────────────────────────────────────────────────────────
  /** Arguments of clone3(2). */
  export interface Clone3 {
    /** CLONE_* without CLONE_VM; CLONE_PIDFD is always added, CLONE_INTO_CGROUP when `cgroupFd` ≥ 0. */
    flags: number
    exitSignal: number
    cgroupFd?: number
  }
  export interface Cloned {
    pid: number
    pidfd: number
  }
  /**
   * fork(2). In the child the loop is empty and new (no watches, timers or pumps); the child goes on from this
   * call, and microtasks that were pending do not run there before `_exit` or `execve`, unless it returns to the loop.
   */
  export function fork(): number
  /** clone3(2) as a fork. Parent: pid and an owned pidfd. Child: pid 0, pidfd -1; its loop as after `fork`. */
  export function clone3(args: Clone3): Cloned | number
  /** Comes back only on failure. Signals blocked for signalfd are unblocked and dispositions reset first (SIGPIPE too). */
  export function execve(path: string, argv: string[], envp: string[]): number
  export function execveat(dirfd: number, path: string, argv: string[], envp: string[], flags: number): number
  export function _exit(status: number): never
  /** Ends the process from the main process: flushes nothing, runs no destructor. */
  export function exit(status: number): never
  export function unshare(flags: number): number
  export function setns(fd: number, nstype: number): number

  // ── Processes: waiting, signals, ids ──────────────────────────────────────────────────────────────
  export interface WaitStatus {
    pid: number
    /** CLD_EXITED 1, CLD_KILLED 2, CLD_DUMPED 3, CLD_STOPPED 5, CLD_CONTINUED 6 (siginfo.h). */
    code: number
    /** Exit status, or the signal's number. */
    status: number
    uid: number
  }
  export function argv(): string[]
  export function environ(): string[]
  /** waitid(2). null: WNOHANG and nothing to report. */
  export function waitid(idType: number, id: number, options: number): WaitStatus | null | number
  export function kill(pid: number, signal: number): number
  export function pidfdOpen(pid: number, flags: number): number
  export function pidfdSendSignal(pidfd: number, signal: number): number
  export function pidfdGetfd(pidfd: number, targetFd: number): number
  export function getpid(): number
  export function getppid(): number
  export function setsid(): number
  export function setpgid(pid: number, pgid: number): number
  export function prctl(option: number, arg2: number, arg3: number, arg4: number, arg5: number): number
  export function personality(persona: number): number
  export function sethostname(name: string): number
  export function setdomainname(name: string): number
  /** keyctl(KEYCTL_JOIN_SESSION_KEYRING); null: an anonymous keyring. */
  export function keyctlJoinSession(name: string | null): number
  export function reboot(command: number): number
  /** Any other system call, by number; strings are passed as NUL-ended pointers, Uint8Arrays as pointers, bigint and number as words. */
  export function syscall(number: number, ...args: (number | bigint | string | Uint8Array | null)[]): number

  // ── Processes: users and capabilities ─────────────────────────────────────────────────────────────
  /** Capability sets as bit masks. */
  export interface Capabilities {
    effective: bigint
    permitted: bigint
    inheritable: bigint
  }
  export function getuid(): number
  export function geteuid(): number
  export function getgid(): number
  export function getegid(): number
  export function setresuid(real: number, effective: number, saved: number): number
  export function setresgid(real: number, effective: number, saved: number): number
  export function setgroups(groups: number[]): number
  /** Capability sets as bit masks, version 3 (64 bits). */
  export function capget(pid: number): Capabilities | number
  export function capset(effective: bigint, permitted: bigint, inheritable: bigint): number

  // ── Processes: limits and scheduling ──────────────────────────────────────────────────────────────
  export interface ResourceLimit {
    soft: bigint
    hard: bigint
  }
  /** struct sched_attr (sched_setattr(2)). */
  export interface SchedAttr {
    policy: number
    flags: bigint
    nice: number
    priority: number
    runtime: bigint
    deadline: bigint
    period: bigint
  }
  /** prlimit64(2), set; RLIM_INFINITY is 2^64-1. */
  export function setrlimit(pid: number, resource: number, soft: bigint, hard: bigint): number
  export function getrlimit(pid: number, resource: number): ResourceLimit | number
  export function setpriority(which: number, who: number, priority: number): number
  export function ioprioSet(which: number, who: number, ioprio: number): number
  export function schedSetattr(pid: number, attr: SchedAttr): number
  export function schedSetaffinity(pid: number, cpus: number[]): number

  // ── Processes: seccomp ────────────────────────────────────────────────────────────────────────────
  /** seccomp(SECCOMP_SET_MODE_FILTER) with `program` an array of struct sock_filter, 8 bytes each. Gives the listener fd with SECCOMP_FILTER_FLAG_NEW_LISTENER. */
  export function seccompSetModeFilter(program: Uint8Array, flags: number): number

  // ── Processes: signals ────────────────────────────────────────────────────────────────────────────
  export interface SignalInfo {
    signal: number
    pid: number
    status: number
    code: number
  }
  /** Blocks the signals and gives a signalfd (non-blocking) for them. */
  export function signalfd(signals: number[]): number
  /** Reads one entry; -EAGAIN when there is none. */
  export function readSignalfd(fd: number): SignalInfo | number
  /** Default dispositions, nothing blocked. */
  export function resetSignals(): number
  export function ignoreSignal(signal: number): number

  // ── Mounts ────────────────────────────────────────────────────────────────────────────────────────
  /** struct mount_attr (mount_setattr(2)). */
  export interface MountAttr {
    set: number
    clear: number
    propagation: number
    usernsFd?: number
  }
  export function mount(source: string | null, target: string, fstype: string | null, flags: number, data: string | null): number
  export function umount2(target: string, flags: number): number
  export function pivotRoot(newRoot: string, putOld: string): number
  export function openTree(dirfd: number, path: string, flags: number): number
  export function moveMount(fromDirfd: number, fromPath: string, toDirfd: number, toPath: string, flags: number): number
  export function mountSetattr(dirfd: number, path: string, flags: number, attr: MountAttr): number
  /** fsopen(2); FSOPEN_CLOEXEC is always added. */
  export function fsopen(fstype: string, flags: number): number
  /** fsconfig(2): `value` null for flags and commands; `aux` is the fd of FSCONFIG_SET_FD. */
  export function fsconfig(fd: number, command: number, key: string | null, value: string | null, aux: number): number
  /** fsmount(2); FSMOUNT_CLOEXEC is always added. */
  export function fsmount(fd: number, flags: number, attrFlags: number): number

  // ── Clocks and entropy ────────────────────────────────────────────────────────────────────────────
  /** Nanoseconds of a CLOCK_*. */
  export function clockGettime(clock: number): bigint
  export function clockSettime(clock: number, nanoseconds: bigint): number
  /** CLOCK_MONOTONIC in milliseconds with fractions. */
  export function monotonicMs(): number
  /** getrandom(2), which waits until the kernel's pool is ready. */
  export function getrandom(buffer: Uint8Array): number
  /** RNDADDENTROPY: credits all bits of `seed`. */
  export function addEntropy(seed: Uint8Array): number
  /** TSC frequency of the host in kHz: CPUID where it tells, otherwise measured against CLOCK_MONOTONIC_RAW (about 20 ms). */
  export function tscKhz(): number

  // ── Event loop: one epoll instance; every callback runs to completion, then all promise jobs ──────
  export interface MemoryUsage {
    heapBytes: number
    objects: number
  }
  /** Watches `fd` for EPOLL* `events` (level-triggered unless EPOLLET). One watch an fd. */
  export function watch(fd: number, events: number, callback: (events: number) => void): number
  export function rewatch(fd: number, events: number): number
  /** Call before closing the fd. */
  export function unwatch(fd: number): number
  /** One-shot timer; gives an id > 0. */
  export function setTimer(delayMs: number, callback: () => void): number
  export function clearTimer(id: number): void
  /** The loop ends, and the process with status 0, when nothing is watched, no timer and no pump is left; an unreferenced watch does not count. */
  export function unref(fd: number): void
  /**
   * Hook for promises that were rejected and have no handler after the jobs ran, and for exceptions that a callback threw.
   * Without one the process logs to stderr and aborts (status 70).
   */
  export function onUnhandledRejection(callback: (reason: unknown) => void): void
  /**
   * What the process says when it aborts (watchdog, panic, no hook for a rejection) goes to this fd too, as one line of JSON
   * with `level` fatal and `msg`. Borrowed for good; -1: stderr only.
   */
  export function setFatalLog(fd: number): void
  /** Aborts the process (status 70, the stack on stderr) when one callback with its jobs runs longer than this; 0: off. */
  export function setWatchdog(limitMs: number): void
  /** Bytes of JS heap beyond which allocation throws; 0: none. */
  export function setMemoryLimit(bytes: number): void
  export function memoryUsage(): MemoryUsage
  export function gc(): void

  // ── Pump: bytes from one fd to another, natively (splice where both allow it) ─────────────────────
  export interface PumpOptions {
    /** Borrowed: the pump works on its own duplicates. Sockets are connected. */
    source: number
    sink: number
    /** Stop after this many bytes; -1: at end of file. May be given later with pumpSetTotal. */
    totalBytes: number
    /** Bytes written at once at the most (facts/guest.md: 32404 towards vhost-device-vsock). */
    chunkBytes: number
    /** At end: shutdown(sink, SHUT_WR) for a socket. */
    shutdownSink: boolean
    /** When the sink is gone (EPIPE, ECONNRESET): go on reading and discard instead of ending. */
    discardOnSinkError: boolean
  }
  export interface PumpEnd {
    /** 'eof': source ended; 'total': totalBytes reached; 'source'/'sink': that side failed with errno; 'stopped': pumpStop. */
    reason: 'eof' | 'total' | 'source' | 'sink' | 'stopped'
    errno: number
    /** Bytes delivered to the sink, and discarded. */
    bytes: number
    discardedBytes: number
  }
  /** Starts a pump; gives an id > 0 or a negative errno. `done` is called once, from the loop. A pty master's EIO is end of file. */
  export function pumpStart(options: PumpOptions, done: (end: PumpEnd) => void): number
  /** Bytes delivered so far; -ENOENT once the pump ended. */
  export function pumpBytes(id: number): number
  /** Ends the pump when that many bytes were taken from the source, which may be now; -ENOENT once the pump ended. */
  export function pumpSetTotal(id: number, totalBytes: number): number
  /** Stops now; `done` is called with 'stopped'. */
  export function pumpStop(id: number): number

  // ── KVM trial ─────────────────────────────────────────────────────────────────────────────────────
  export interface KvmTrial {
    usable: boolean
    /** What was seen, in words. */
    reason: string
    elapsedMs: number
  }
  /** Runs a small long-mode guest (int3 handler, cmpxchg16b, a counted loop) on /dev/kvm and believes only what it saw within `timeoutMs`. */
  export function kvmTrial(timeoutMs: number): KvmTrial

  // ── Text and digests ──────────────────────────────────────────────────────────────────────────────
  /** A surrogate without its other half becomes U+FFFD, as with TextEncoder. */
  export function utf8Encode(text: string): Uint8Array
  /** Invalid sequences become U+FFFD. */
  export function utf8Decode(buffer: Uint8Array, offset: number, length: number): string
  export function sha256(data: Uint8Array): Uint8Array
}
