import { Assembler, JEQ, JSET, Label } from '../../../native/ts/classic-bpf.ts'
import {
  CLONE_NEWCGROUP, CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWTIME, CLONE_NEWUSER, CLONE_NEWUTS,
} from '../../../native/ts/constants/sched.ts'
import {
  AUDIT_ARCH_X86_64, dataArch, dataArgs, dataNr, SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO, SECCOMP_RET_KILL_PROCESS,
} from '../../../native/ts/constants/seccomp.ts'
import { AF_UNIX } from '../../../native/ts/constants/socket.ts'
import { x86_64 } from '../../../native/ts/constants/syscalls.ts'
import { E } from '../../../native/ts/errno.ts'
import { numbersIn } from '../../../native/ts/syscall-numbers.ts'

/**
 * A seccomp filter for a daemon that has none of its own: what it may call is listed, everything else is answered with ENOSYS, as by a
 * kernel that is too old for it, which libraries know how to live with.
 */

/** No namespace may be made, a user namespace above all. */
const namespaceFlags = CLONE_NEWCGROUP | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWTIME | CLONE_NEWUSER | CLONE_NEWUTS

/** What a program calls that serves sockets with threads; the engine begins it by execveat(2). */
const allowed = `
read write close fstat poll lseek mmap mprotect munmap brk rt_sigaction rt_sigprocmask rt_sigreturn ioctl pread64 pwrite64 readv writev access
pipe sched_yield mremap madvise dup dup2 nanosleep getpid
connect accept sendto recvfrom sendmsg recvmsg shutdown bind listen getsockname getpeername socketpair setsockopt getsockopt
execveat exit uname fcntl getcwd unlink readlink getrlimit getuid getgid geteuid getegid
sigaltstack prctl arch_prctl gettid futex sched_getaffinity epoll_create getdents64 set_tid_address clock_gettime clock_nanosleep
exit_group epoll_wait epoll_ctl tgkill openat newfstatat unlinkat readlinkat faccessat set_robust_list epoll_pwait accept4 eventfd2
epoll_create1 dup3 pipe2 prlimit64 getrandom statx rseq close_range faccessat2`.trim().replaceAll('\n', ' ').split(' ')

/** The program, as an array of struct sock_filter. Pure. */
export function socketDaemonFilter(): Uint8Array {
  const numbers = numbersIn(x86_64)
  const program = new Assembler('the filter of socket daemons')
  program.load(dataArch)
  const native = new Label()
  program.test(JEQ, AUDIT_ARCH_X86_64, native, undefined)
  program.ret(SECCOMP_RET_KILL_PROCESS)
  program.put(native)
  program.load(dataNr)
  onCall(program, numberOf(numbers, 'socket'), () => {
    const other = new Label()
    program.load(dataArgs)
    program.test(JEQ, AF_UNIX, undefined, other)
    program.ret(SECCOMP_RET_ALLOW)
    program.put(other)
    program.ret(SECCOMP_RET_ERRNO | E.EAFNOSUPPORT)
  })
  onCall(program, numberOf(numbers, 'clone'), () => {
    const namespace = new Label()
    program.load(dataArgs)
    program.test(JSET, namespaceFlags, namespace, undefined)
    program.ret(SECCOMP_RET_ALLOW)
    program.put(namespace)
    program.ret(SECCOMP_RET_ERRNO | E.EPERM)
  })
  for (const name of allowed) onCall(program, numberOf(numbers, name), () => program.ret(SECCOMP_RET_ALLOW))
  program.ret(SECCOMP_RET_ERRNO | E.ENOSYS)
  return program.assemble()
}

/** `answer` ends in a return; of other calls the loaded number is still there behind it. */
function onCall(program: Assembler, number: number, answer: () => void): void {
  const next = new Label()
  program.test(JEQ, number, undefined, next)
  answer()
  program.put(next)
}

function numberOf(numbers: ReadonlyMap<string, number>, name: string): number {
  const number = numbers.get(name)
  if (number === undefined) throw new TypeError(`x86_64 has no system call ${name}`)
  return number
}
