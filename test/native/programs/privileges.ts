import * as sys from 'native:sys'
import { AT_FDCWD } from '../../../native/ts/constants/fcntl.ts'
import { SIGKILL, SIGUSR1 } from '../../../native/ts/constants/signal.ts'
import { CLONE_NEWUSER } from '../../../native/ts/constants/sched.ts'
import { check, checked, E } from '../../../native/ts/errno.ts'
import { equal, forked, ok, print, runCases, text, typeError, waitFor } from './harness.ts'

/** include/uapi/linux/seccomp.h, bpf_common.h */
const RET_ALLOW = 0x7fff0000
const RET_ERRNO = 0x00050000
const RET_KILL_PROCESS = 0x80000000
const LOAD_WORD = 0x20
const JUMP_EQUAL = 0x15
const RETURN = 0x06
const PR_SET_NO_NEW_PRIVS = 38
const getppidNumber = 110
/** include/uapi/asm-generic/signal.h */
const SIGSYS = 31

/** A filter that answers one system call with `action` and allows all others. */
function filterOne(call: number, action: number): Uint8Array {
  const program = new DataView(new ArrayBuffer(32))
  const put = (index: number, code: number, jt: number, jf: number, k: number): void => {
    program.setUint16(index * 8, code, true)
    program.setUint8(index * 8 + 2, jt)
    program.setUint8(index * 8 + 3, jf)
    program.setUint32(index * 8 + 4, k, true)
  }
  put(0, LOAD_WORD, 0, 0, 0)
  put(1, JUMP_EQUAL, 0, 1, call)
  put(2, RETURN, 0, 0, action)
  put(3, RETURN, 0, 0, RET_ALLOW)
  return new Uint8Array(program.buffer)
}

function inChild(body: () => number | void): void {
  equal(waitFor(forked(body)), 0)
}

await runCases({
  'a seccomp filter answers with its errno': () => inChild(() => {
    check('prctl', 'no_new_privs', sys.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    ok(sys.getppid() > 0, 'getppid')
    equal(sys.seccompSetModeFilter(filterOne(getppidNumber, RET_ERRNO | E.EACCES), 0), 0)
    equal(sys.getppid(), -E.EACCES)
    equal(sys.getpid() > 0, true)
  }),

  'a seccomp filter kills': () => {
    const pid = forked(() => {
      sys.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
      sys.seccompSetModeFilter(filterOne(getppidNumber, RET_KILL_PROCESS), 0)
      sys.getppid()
    })
    equal(waitFor(pid), 128 + SIGSYS)
  },

  'a program that is no filter is refused': () => {
    equal(sys.seccompSetModeFilter(new Uint8Array(7), 0), -E.EINVAL)
    equal(sys.seccompSetModeFilter(new Uint8Array(0), 0), -E.EINVAL)
    equal(typeError(() => sys.seccompSetModeFilter('x' as unknown as Uint8Array, 0)), 'seccompSetModeFilter: program must be a Uint8Array')
  },

  'capabilities are dropped and do not come back': () => inChild(() => {
    const before = checked('capget', 'self', sys.capget(0))
    const CAP_SYS_ADMIN = 1n << 21n
    const CAP_CHECKPOINT_RESTORE = 1n << 40n
    ok((before.effective & CAP_SYS_ADMIN) !== 0n, 'the test runs without CAP_SYS_ADMIN')
    const less = before.permitted & ~CAP_SYS_ADMIN & ~CAP_CHECKPOINT_RESTORE
    equal(sys.capset(less, less, 0n), 0)
    equal(checked('capget', 'self', sys.capget(0)), { effective: less, permitted: less, inheritable: 0n })
    equal(sys.sethostname('x'), -E.EPERM)
    equal(sys.capset(before.permitted, before.permitted, 0n), -E.EPERM)
  }),

  'user and groups change for good': () => inChild(() => {
    equal(sys.setgroups([5, 70_000]), 0)
    equal(sys.setresgid(1001, 1001, 1001), 0)
    equal(sys.setresuid(1000, 1000, 1000), 0)
    equal([sys.getuid(), sys.geteuid(), sys.getgid(), sys.getegid()], [1000, 1000, 1001, 1001])
    ok(/^Groups:\t5 70000 $/m.test(text(sys.readFile(AT_FDCWD, '/proc/self/status', 1e5))), 'the groups are others')
    equal(sys.setresuid(0, 0, 0), -E.EPERM)
  }),

  'a user namespace gives all capabilities inside': () => inChild(() => {
    sys.setresuid(1000, 1000, 1000)
    sys.prctl(4, 1, 0, 0, 0) // PR_SET_DUMPABLE: /proc/self is ours again
    equal(sys.unshare(CLONE_NEWUSER), 0)
    equal(sys.writeFile(AT_FDCWD, '/proc/self/uid_map', '0 1000 1', 0, 0), 8)
    equal(sys.getuid(), 0)
    equal((checked('capget', 'self', sys.capget(0)).effective & 0xffffn), 0xffffn)
  }),

  'resource limits of 64 bits': () => inChild(() => {
    const RLIMIT_NOFILE = 7
    const RLIMIT_FSIZE = 1
    equal(sys.setrlimit(0, RLIMIT_NOFILE, 100n, 200n), 0)
    equal(checked('getrlimit', 'nofile', sys.getrlimit(0, RLIMIT_NOFILE)), { soft: 100n, hard: 200n })
    equal(sys.setrlimit(0, RLIMIT_FSIZE, 0xffff_ffff_ffff_ffffn, 0xffff_ffff_ffff_ffffn), 0)
    equal(checked('getrlimit', 'fsize', sys.getrlimit(0, RLIMIT_FSIZE)).soft, 0xffff_ffff_ffff_ffffn)
    equal(sys.setrlimit(0, 99, 1n, 1n), -E.EINVAL)
  }),

  'scheduling': () => inChild(() => {
    equal(sys.schedSetaffinity(0, [0]), 0)
    ok(/^Cpus_allowed_list:\t0$/m.test(text(sys.readFile(AT_FDCWD, '/proc/self/status', 1e5))), 'it may run elsewhere')
    equal(sys.schedSetaffinity(0, [9000]), -E.EINVAL)
    equal(sys.setpriority(0, 0, 7), 0)
    const SCHED_BATCH = 3
    equal(sys.schedSetattr(0, { policy: SCHED_BATCH, flags: 0n, nice: 5, priority: 0, runtime: 0n, deadline: 0n, period: 0n }), 0)
    equal(sys.syscall(145, 0), SCHED_BATCH)
    equal(sys.ioprioSet(1, 0, (2 << 13) | 4), 0)
    equal(sys.personality(0xffffffff), 0)
  }),

  'a child dies with its parent': () => {
    const PR_SET_PDEATHSIG = 1
    const [reader, writer] = sys.pipe2(0) as [number, number]
    const parent = forked(() => {
      const child = forked(() => {
        sys.prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)
        sys.write(writer, new Uint8Array(1), 0, 1)
        sys.syscall(34) // pause
      })
      void child
      sys.read(reader, new Uint8Array(1), 0, 1)
    })
    equal(waitFor(parent), 0)
    sys.close(writer)
    // The end of the file comes when the last holder of the writing end is dead.
    equal(sys.read(reader, new Uint8Array(1), 0, 1), 0)
    sys.close(reader)
  },

  'pidfds signal and fetch fds': () => {
    const [reader, writer] = sys.pipe2(0) as [number, number]
    const pid = forked(() => {
      sys.signalfd([SIGUSR1])
      sys.write(writer, new Uint8Array(1), 0, 1)
      sys.syscall(34)
    })
    sys.read(reader, new Uint8Array(1), 0, 1)
    const pidfd = sys.pidfdOpen(pid, 0)
    const fetched = sys.pidfdGetfd(pidfd, writer)
    ok(fetched >= 0, `pidfd_getfd: ${fetched}`)
    sys.close(fetched)
    equal(sys.pidfdSendSignal(pidfd, SIGUSR1), 0)
    equal(sys.pidfdSendSignal(pidfd, SIGKILL), 0)
    equal(waitFor(pid), 128 + SIGKILL)
    equal(sys.pidfdSendSignal(pidfd, SIGKILL), -E.ESRCH)
    for (const fd of [pidfd, reader, writer]) sys.close(fd)
  },

  'a session keyring': () => inChild(() => {
    const joined = sys.keyctlJoinSession('kata-ts-test')
    ok(joined > 0 || joined === -E.ENOSYS || joined === -E.EPERM, `keyctl: ${joined}`)
  }),

  'KVM is tried within its time, with a verdict and a reason': () => {
    const trial = sys.kvmTrial(500)
    ok(typeof trial.usable === 'boolean' && trial.reason.length > 10, JSON.stringify(trial))
    ok(trial.elapsedMs < 1700, `${trial.elapsedMs} ms`)
    equal(sys.waitid(0, 0, 5), -E.ECHILD, 'children left')
    print(`KVM ${trial.usable ? 'usable' : 'not usable'}: ${trial.reason} (${trial.elapsedMs.toFixed(1)} ms)`)
  },
})
