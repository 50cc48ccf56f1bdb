import { absolutePath, type Check, list, matching, needed, oneOf, type Place, type Problems, record, text, uint64, whole } from './check.ts'

/** A system call filter (config-linux.md#seccomp). */
export interface LinuxSeccomp {
  /** For calls that no rule names. */
  defaultAction: SeccompAction
  /** Absent: EPERM. Only for SCMP_ACT_ERRNO and SCMP_ACT_TRACE. */
  defaultErrnoRet?: number
  architectures?: string[]
  flags?: string[]
  listenerPath?: string
  listenerMetadata?: string
  syscalls?: LinuxSyscall[]
}

/** What to do on the calls of these names, if all of `args` hold. */
export interface LinuxSyscall {
  names: string[]
  action: SeccompAction
  errnoRet?: number
  args?: LinuxSeccompArg[]
}

/** One comparison of a call's argument. */
export interface LinuxSeccompArg {
  /** 0 … 5. */
  index: number
  value: number
  /** With SCMP_CMP_MASKED_EQ what is compared, `value` being the mask. */
  valueTwo?: number
  op: SeccompOperator
}

export const seccompActions = [
  'SCMP_ACT_KILL', 'SCMP_ACT_KILL_PROCESS', 'SCMP_ACT_KILL_THREAD', 'SCMP_ACT_TRAP', 'SCMP_ACT_ERRNO', 'SCMP_ACT_TRACE',
  'SCMP_ACT_ALLOW', 'SCMP_ACT_LOG', 'SCMP_ACT_NOTIFY',
] as const
export type SeccompAction = (typeof seccompActions)[number]

export const seccompOperators = [
  'SCMP_CMP_NE', 'SCMP_CMP_LT', 'SCMP_CMP_LE', 'SCMP_CMP_EQ', 'SCMP_CMP_GE', 'SCMP_CMP_GT', 'SCMP_CMP_MASKED_EQ',
] as const
export type SeccompOperator = (typeof seccompOperators)[number]

/** Architectures that the spec names, those of other machines included. */
export const seccompArchitectures = [
  'X86', 'X86_64', 'X32', 'ARM', 'AARCH64', 'LOONGARCH64', 'M68K', 'MIPS', 'MIPS64', 'MIPS64N32', 'MIPSEL', 'MIPSEL64', 'MIPSEL64N32',
  'PPC', 'PPC64', 'PPC64LE', 'S390', 'S390X', 'SH', 'SHEB', 'PARISC', 'PARISC64', 'RISCV64',
].map(name => `SCMP_ARCH_${name}`)

export const seccompFlags = [
  'SECCOMP_FILTER_FLAG_TSYNC', 'SECCOMP_FILTER_FLAG_LOG', 'SECCOMP_FILTER_FLAG_SPEC_ALLOW', 'SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV',
] as const
export type SeccompFlag = (typeof seccompFlags)[number]

const section = 'config-linux.md#seccomp'
const errno = whole(0, 4095) // MAX_ERRNO, include/linux/err.h

function judgeErrno(action: SeccompAction, errnoRet: number | undefined, place: Place, problems: Problems): void {
  if (errnoRet === undefined || action === 'SCMP_ACT_ERRNO' || action === 'SCMP_ACT_TRACE') return
  problems.report(place, `given with ${action}; only SCMP_ACT_ERRNO and SCMP_ACT_TRACE take one`, section)
}

const argument = record<LinuxSeccompArg>(() => ({
  index: needed(whole(0, 5)),
  value: needed(uint64),
  valueTwo: uint64,
  op: needed(oneOf(seccompOperators, section)),
}))

const rule = record<LinuxSyscall>(() => ({
  names: needed(list(text), 'name at least one system call'),
  action: needed(oneOf(seccompActions, section)),
  errnoRet: errno,
  args: list(argument),
}), (syscall, place, problems) => {
  if (syscall.names.length === 0) problems.report({ holder: place, key: 'names' }, 'empty; name at least one system call', section)
  judgeErrno(syscall.action, syscall.errnoRet, { holder: place, key: 'errnoRet' }, problems)
})

/** Checks `linux.seccomp` (config-linux.md#seccomp). */
export const seccomp: Check = record<LinuxSeccomp>(() => ({
  defaultAction: needed(oneOf(seccompActions, section)),
  defaultErrnoRet: errno,
  architectures: list(matching(/^SCMP_ARCH_[A-Z0-9_]+$/, 'a SCMP_ARCH_… name', section)),
  flags: list(matching(/^SECCOMP_FILTER_FLAG_[A-Z_]+$/, 'a SECCOMP_FILTER_FLAG_… name', section)),
  listenerPath: absolutePath,
  listenerMetadata: text,
  syscalls: list(rule),
}), (filter, place, problems) => {
  judgeErrno(filter.defaultAction, filter.defaultErrnoRet, { holder: place, key: 'defaultErrnoRet' }, problems)
  if (filter.listenerMetadata !== undefined && filter.listenerPath === undefined) {
    problems.report({ holder: place, key: 'listenerMetadata' }, 'given without listenerPath', section)
  }
})
