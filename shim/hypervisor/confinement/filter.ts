import { E } from '../../../native/ts/errno.ts'

/**
 * A seccomp filter for a daemon that has none of its own: what it may call is listed, everything else is answered with ENOSYS, as by a
 * kernel that is too old for it, which libraries know how to live with.
 */

/** include/uapi/linux/audit.h */
const AUDIT_ARCH_X86_64 = 0xc000_003e
/** include/uapi/linux/seccomp.h */
const SECCOMP_RET_KILL_PROCESS = 0x8000_0000
const SECCOMP_RET_ERRNO = 0x0005_0000
const SECCOMP_RET_ALLOW = 0x7fff_0000
/** include/uapi/linux/bpf_common.h: BPF_LD | BPF_W | BPF_ABS, BPF_JMP | BPF_JEQ | BPF_K, BPF_JMP | BPF_JSET | BPF_K, BPF_RET | BPF_K */
const LD = 0x20
const JEQ = 0x15
const JSET = 0x45
const RET = 0x06
/** struct seccomp_data */
const atNumber = 0
const atArch = 4
const atFirstArgument = 16

/** Every CLONE_NEW* flag: no namespace may be made, a user namespace above all. */
const namespaceFlags = 0x7e02_0080
const AF_UNIX = 1

/** x86_64 system calls (arch/x86/entry/syscalls/syscall_64.tbl) of a program that serves sockets with threads. */
const allowed = [
  0, 1, 3, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, // read write close fstat poll lseek mmap mprotect munmap brk rt_sig* ioctl pread pwrite readv writev access
  22, 24, 25, 28, 32, 33, 35, 39, // pipe sched_yield mremap madvise dup dup2 nanosleep getpid
  42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, // connect accept sendto recvfrom sendmsg recvmsg shutdown bind listen get*name socketpair *sockopt
  322, 60, 63, 72, 79, 87, 89, 97, 102, 104, 107, 108, // execveat (by which the engine begins it) exit uname fcntl getcwd unlink readlink getrlimit get*id
  131, 157, 158, 186, 202, 204, 213, 217, 218, 228, 230, 231, 232, 233, 234, // sigaltstack prctl arch_prctl gettid futex sched_getaffinity epoll_* getdents64 clock_* exit_group tgkill
  257, 262, 263, 267, 269, 273, 281, 288, 290, 291, 292, 293, 302, 318, 332, 334, 436, 439, // openat newfstatat unlinkat readlinkat faccessat set_robust_list epoll_pwait accept4 eventfd2 epoll_create1 dup3 pipe2 prlimit64 getrandom statx rseq close_range faccessat2
]
/** Allowed with a condition on their first argument. */
const SYS_socket = 41
const SYS_clone = 56

type Instruction = readonly [code: number, ifTrue: number, ifFalse: number, value: number]

/** The program, as an array of struct sock_filter. Pure. */
export function socketDaemonFilter(): Uint8Array {
  const errno = (number: number): Instruction => [RET, 0, 0, SECCOMP_RET_ERRNO | number]
  const allow: Instruction = [RET, 0, 0, SECCOMP_RET_ALLOW]
  return assemble([
    [LD, 0, 0, atArch], [JEQ, 1, 0, AUDIT_ARCH_X86_64], [RET, 0, 0, SECCOMP_RET_KILL_PROCESS],
    [LD, 0, 0, atNumber],
    [JEQ, 0, 4, SYS_socket], [LD, 0, 0, atFirstArgument], [JEQ, 0, 1, AF_UNIX], allow, errno(E.EAFNOSUPPORT),
    [JEQ, 0, 4, SYS_clone], [LD, 0, 0, atFirstArgument], [JSET, 1, 0, namespaceFlags], allow, errno(E.EPERM),
    ...allowed.flatMap((number): Instruction[] => [[JEQ, 0, 1, number], allow]),
    errno(E.ENOSYS),
  ])
}

function assemble(instructions: readonly Instruction[]): Uint8Array {
  const bytes = new Uint8Array(instructions.length * 8)
  const view = new DataView(bytes.buffer)
  instructions.forEach(([code, ifTrue, ifFalse, value], index) => {
    view.setUint16(index * 8, code, true)
    view.setUint8(index * 8 + 2, ifTrue)
    view.setUint8(index * 8 + 3, ifFalse)
    view.setUint32(index * 8 + 4, value >>> 0, true)
  })
  return bytes
}
