import { expect } from 'vitest'
import type { LinuxSeccomp } from '../../protocol/oci/seccomp.ts'
import { Bundle } from './bundle.ts'
import { conformance, type Runtime } from './runtimes.ts'

const architectures = ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32']

function filtered(runtime: Runtime, script: string, filter: Partial<LinuxSeccomp>, noNewPrivileges = true): Bundle {
  return new Bundle(runtime, ['sh', '-c', script], spec => {
    spec.process.noNewPrivileges = noNewPrivileges
    spec.linux.seccomp = { defaultAction: 'SCMP_ACT_ALLOW', architectures, ...filter }
  })
}

const mkdir = ['mkdir', 'mkdirat']

conformance('seccomp', test => {
  for (const noNewPrivileges of [true, false]) {
    test(`answers a call with an errno, no_new_privs ${noNewPrivileges}`, async runtime => {
      await using bundle = filtered(runtime, 'mkdir /tmp/x; echo $?; grep Seccomp: /proc/self/status', { syscalls: [{ names: mkdir, action: 'SCMP_ACT_ERRNO' }] }, noNewPrivileges)
      const { stdout, stderr } = bundle.run()
      expect(stderr).toContain('Operation not permitted')
      expect(stdout).toMatch(/^1\nSeccomp:\s2\n$/)
    })
  }

  test('answers with the errno of the rule', async runtime => {
    await using bundle = filtered(runtime, 'mkdir /tmp/x', { syscalls: [{ names: mkdir, action: 'SCMP_ACT_ERRNO', errnoRet: 28 }] })
    expect(bundle.run().stderr).toContain('No space left on device')
  })

  test('kills the process of a call', async runtime => {
    await using bundle = filtered(runtime, 'sh -c "mkdir /tmp/x"; echo $?', { syscalls: [{ names: mkdir, action: 'SCMP_ACT_KILL_PROCESS' }] })
    expect(bundle.run().stdout).toBe('159\n') // 128 + SIGSYS
  })

  test('tells calls apart by an argument', async runtime => {
    // kill(2): signal 0 is allowed, others are not.
    await using bundle = filtered(runtime, 'sleep 5 & kill -0 $! && echo zero; kill -15 $! || echo refused', {
      syscalls: [{ names: ['kill'], action: 'SCMP_ACT_ERRNO', args: [{ index: 1, value: 0, op: 'SCMP_CMP_NE' }] }],
    })
    expect(bundle.run().stdout).toBe('zero\nrefused\n')
  })

  test('compares under a mask', async runtime => {
    // mknod(2) of a FIFO (S_IFIFO 0o010000) is refused, other types are not (S_IFMT 0o170000).
    await using bundle = filtered(runtime, 'mknod /tmp/p p || echo refused; mknod /tmp/c c 1 3 && echo made', {
      syscalls: [
        { names: ['mknod'], action: 'SCMP_ACT_ERRNO', args: [{ index: 1, value: 0o170000, valueTwo: 0o010000, op: 'SCMP_CMP_MASKED_EQ' }] },
        { names: ['mknodat'], action: 'SCMP_ACT_ERRNO', args: [{ index: 2, value: 0o170000, valueTwo: 0o010000, op: 'SCMP_CMP_MASKED_EQ' }] },
      ],
    })
    expect(bundle.run().stdout).toBe('refused\nmade\n')
  })

  test('refuses by default and allows what is named', async runtime => {
    const allowed = [
      'access', 'arch_prctl', 'brk', 'capget', 'capset', 'chdir', 'clone', 'clone3', 'close', 'close_range', 'dup', 'dup2', 'dup3', 'execve', 'execveat', 'exit', 'exit_group', 'faccessat', 'faccessat2', 'fchdir', 'fcntl', 'fork', 'fstat', 'fstatfs', 'futex',
      'getcwd', 'getdents64', 'getegid', 'geteuid', 'getgid', 'getpgid', 'getpid', 'getppid', 'getrandom', 'gettid', 'getuid', 'ioctl', 'lseek', 'lstat', 'madvise', 'mmap', 'mprotect', 'munmap', 'nanosleep', 'newfstatat', 'open', 'openat', 'pipe', 'pipe2', 'poll',
      'ppoll', 'prctl', 'pread64', 'prlimit64', 'read', 'readlink', 'recvfrom', 'rseq', 'rt_sigaction', 'rt_sigprocmask', 'rt_sigreturn', 'sched_getaffinity', 'sched_yield', 'sendmsg', 'sendto', 'set_robust_list', 'set_tid_address', 'setgid', 'setgroups', 'setsid', 'setuid',
      'sigaltstack', 'stat', 'statfs', 'statx', 'tgkill', 'umask', 'uname', 'vfork', 'wait4', 'waitid', 'write', 'writev', 'epoll_ctl', 'epoll_pwait', 'epoll_create1', 'accept4', 'recvmsg', 'getsockopt', 'socketpair',
    ]
    await using bundle = filtered(runtime, 'echo runs; mkdir /tmp/x', { defaultAction: 'SCMP_ACT_ERRNO', syscalls: [{ names: allowed, action: 'SCMP_ACT_ALLOW' }] })
    const { stdout, stderr } = bundle.run()
    expect(stdout).toBe('runs\n')
    expect(stderr).toContain('Operation not permitted')
  })

  test('ignores names that no architecture has', async runtime => {
    await using bundle = filtered(runtime, 'echo runs', { syscalls: [{ names: ['no_such_call', ...mkdir], action: 'SCMP_ACT_ERRNO' }] })
    expect(bundle.run().stdout).toBe('runs\n')
  })

  test('holds for an exec too', async runtime => {
    await using bundle = filtered(runtime, 'sleep 100', { syscalls: [{ names: mkdir, action: 'SCMP_ACT_ERRNO' }] })
    bundle.up()
    expect(bundle.exec(['mkdir', '/tmp/x']).stderr).toContain('Operation not permitted')
  })

  test('refuses an unknown action', async runtime => {
    await using bundle = filtered(runtime, 'true', { defaultAction: 'SCMP_ACT_NONSENSE' as 'SCMP_ACT_ALLOW' })
    expect(bundle.create().status).not.toBe(0)
    expect(bundle.leftovers()).toEqual([])
  })
})
