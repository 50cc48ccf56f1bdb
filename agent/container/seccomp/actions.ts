import { E } from '../../../native/ts/errno.ts'
import type { SeccompAction } from '../../../protocol/oci/seccomp.ts'

/** What a filter returns (include/uapi/linux/seccomp.h); for ERRNO and TRACE the low 16 bits are data. */
const returns: Readonly<Record<SeccompAction, number>> = {
  SCMP_ACT_KILL: 0x0000_0000,
  SCMP_ACT_KILL_THREAD: 0x0000_0000,
  SCMP_ACT_KILL_PROCESS: 0x8000_0000,
  SCMP_ACT_TRAP: 0x0003_0000,
  SCMP_ACT_ERRNO: 0x0005_0000,
  SCMP_ACT_NOTIFY: 0x7fc0_0000,
  SCMP_ACT_TRACE: 0x7ff0_0000,
  SCMP_ACT_LOG: 0x7ffc_0000,
  SCMP_ACT_ALLOW: 0x7fff_0000,
}

export const killThread = returns.SCMP_ACT_KILL_THREAD
export const errnoNoSys = returns.SCMP_ACT_ERRNO | E.ENOSYS

/** The value to return for an action; `errnoRet` absent means EPERM (config-linux.md#seccomp). */
export function returnOf(action: SeccompAction, errnoRet: number | undefined): number {
  const value = returns[action]
  return action === 'SCMP_ACT_ERRNO' || action === 'SCMP_ACT_TRACE' ? value | (errnoRet ?? E.EPERM) : value
}

/** Actions under which a call that no rule foresaw still happens. */
export function permits(action: SeccompAction): boolean {
  return action === 'SCMP_ACT_ALLOW' || action === 'SCMP_ACT_LOG' || action === 'SCMP_ACT_TRACE'
}
