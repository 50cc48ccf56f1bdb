import {
  SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO, SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_KILL_THREAD, SECCOMP_RET_LOG, SECCOMP_RET_TRACE, SECCOMP_RET_TRAP, SECCOMP_RET_USER_NOTIF,
} from '../../../native/ts/constants/seccomp.ts'
import { E } from '../../../native/ts/errno.ts'
import type { SeccompAction } from '../../../protocol/oci/seccomp.ts'

/** What a filter returns. */
const returns: Readonly<Record<SeccompAction, number>> = {
  SCMP_ACT_KILL: SECCOMP_RET_KILL_THREAD,
  SCMP_ACT_KILL_THREAD: SECCOMP_RET_KILL_THREAD,
  SCMP_ACT_KILL_PROCESS: SECCOMP_RET_KILL_PROCESS,
  SCMP_ACT_TRAP: SECCOMP_RET_TRAP,
  SCMP_ACT_ERRNO: SECCOMP_RET_ERRNO,
  SCMP_ACT_NOTIFY: SECCOMP_RET_USER_NOTIF,
  SCMP_ACT_TRACE: SECCOMP_RET_TRACE,
  SCMP_ACT_LOG: SECCOMP_RET_LOG,
  SCMP_ACT_ALLOW: SECCOMP_RET_ALLOW,
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
