import { AUDIT_ARCH_I386, AUDIT_ARCH_X86_64, X32_SYSCALL_BIT } from '../../../native/ts/constants/seccomp.ts'
import { i386, x32, x86_64 } from '../../../native/ts/constants/syscalls.ts'
import { numbersIn } from '../../../native/ts/syscall-numbers.ts'

export interface Architecture {
  /** As the spec names it. */
  name: string
  audit: number
  /** Whether arguments are 64 bits wide. x32's are compared as 32 bits, as libseccomp does. */
  wide: boolean
  /** Added to each number. */
  base: number
  table: string
}

/** The architectures whose calls an x86_64 kernel takes. */
export const architectures: readonly Architecture[] = [
  { name: 'SCMP_ARCH_X86_64', audit: AUDIT_ARCH_X86_64, wide: true, base: 0, table: x86_64 },
  { name: 'SCMP_ARCH_X32', audit: AUDIT_ARCH_X86_64, wide: false, base: X32_SYSCALL_BIT, table: x32 },
  { name: 'SCMP_ARCH_X86', audit: AUDIT_ARCH_I386, wide: false, base: 0, table: i386 },
]

const parsed = new Map<Architecture, ReadonlyMap<string, number>>()

/** Name → number, x32's bit included. Read on first use: a container without a filter does not pay for it. */
export function numbersOf(architecture: Architecture): ReadonlyMap<string, number> {
  const known = parsed.get(architecture)
  if (known) return known
  const numbers = numbersIn(architecture.table, architecture.base)
  parsed.set(architecture, numbers)
  return numbers
}

/**
 * Calls that i386 also makes through socketcall(2) and ipc(2), with the call's number in the first argument
 * (include/uapi/linux/net.h, ipc.h): a rule for the name holds for both ways.
 */
export const multiplexed: Readonly<Record<string, { by: 'socketcall' | 'ipc'; call: number }>> = {
  socket: { by: 'socketcall', call: 1 }, bind: { by: 'socketcall', call: 2 }, connect: { by: 'socketcall', call: 3 },
  listen: { by: 'socketcall', call: 4 }, accept: { by: 'socketcall', call: 5 }, getsockname: { by: 'socketcall', call: 6 },
  getpeername: { by: 'socketcall', call: 7 }, socketpair: { by: 'socketcall', call: 8 }, send: { by: 'socketcall', call: 9 },
  recv: { by: 'socketcall', call: 10 }, sendto: { by: 'socketcall', call: 11 }, recvfrom: { by: 'socketcall', call: 12 },
  shutdown: { by: 'socketcall', call: 13 }, setsockopt: { by: 'socketcall', call: 14 }, getsockopt: { by: 'socketcall', call: 15 },
  sendmsg: { by: 'socketcall', call: 16 }, recvmsg: { by: 'socketcall', call: 17 }, accept4: { by: 'socketcall', call: 18 },
  recvmmsg: { by: 'socketcall', call: 19 }, sendmmsg: { by: 'socketcall', call: 20 },
  semop: { by: 'ipc', call: 1 }, semget: { by: 'ipc', call: 2 }, semctl: { by: 'ipc', call: 3 }, semtimedop: { by: 'ipc', call: 4 },
  msgsnd: { by: 'ipc', call: 11 }, msgrcv: { by: 'ipc', call: 12 }, msgget: { by: 'ipc', call: 13 }, msgctl: { by: 'ipc', call: 14 },
  shmat: { by: 'ipc', call: 21 }, shmdt: { by: 'ipc', call: 22 }, shmget: { by: 'ipc', call: 23 }, shmctl: { by: 'ipc', call: 24 },
}
