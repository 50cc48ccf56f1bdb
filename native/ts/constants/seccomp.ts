/** What seccomp_data.arch says (include/uapi/linux/audit.h). */
export const AUDIT_ARCH_X86_64 = 0xc000_003e
export const AUDIT_ARCH_I386 = 0x4000_0003
/** Set in the numbers of x32 calls, which have x86_64's audit architecture (asm/unistd.h). */
export const X32_SYSCALL_BIT = 0x4000_0000

/** offsetof(struct seccomp_data, …) (include/uapi/linux/seccomp.h); each of the arguments is a little-endian u64. */
export const dataNr = 0
export const dataArch = 4
export const dataArgs = 16

/** What a filter returns (include/uapi/linux/seccomp.h); for ERRNO and TRACE the low 16 bits are data. */
export const SECCOMP_RET_KILL_THREAD = 0x0000_0000
export const SECCOMP_RET_KILL_PROCESS = 0x8000_0000
export const SECCOMP_RET_TRAP = 0x0003_0000
export const SECCOMP_RET_ERRNO = 0x0005_0000
export const SECCOMP_RET_USER_NOTIF = 0x7fc0_0000
export const SECCOMP_RET_TRACE = 0x7ff0_0000
export const SECCOMP_RET_LOG = 0x7ffc_0000
export const SECCOMP_RET_ALLOW = 0x7fff_0000
