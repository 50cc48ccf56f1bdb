import * as sys from 'native:sys'
import { AT_EMPTY_PATH } from '../../../native/ts/constants/fcntl.ts'
import { PR_SET_KEEPCAPS } from '../../../native/ts/constants/prctl.ts'
import { S_IFCHR, S_IFMT } from '../../../native/ts/constants/stat.ts'
import { check, checked, E } from '../../../native/ts/errno.ts'
import type { User } from '../../../protocol/oci/process.ts'
import { type CapabilityPlan, dropBounding, regainEffective } from './capabilities.ts'

/** umask(2) of a process whose spec names none: what every runtime leaves. */
const defaultUmask = 0o022

/**
 * Becomes the user: groups first, as they need CAP_SETGID, the user last. The permitted capabilities
 * survive (PR_SET_KEEPCAPS) until applyCapabilities has the last word.
 */
export function becomeUser(user: User, capabilities: CapabilityPlan): void {
  ownStdio(user.uid)
  dropBounding(capabilities)
  check('prctl', 'PR_SET_KEEPCAPS', sys.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0))
  setGroups(user.additionalGids ?? [])
  check('setresgid', `${user.gid}`, sys.setresgid(user.gid, user.gid, user.gid))
  check('setresuid', `${user.uid}`, sys.setresuid(user.uid, user.uid, user.uid))
  check('prctl', 'PR_SET_KEEPCAPS', sys.prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0))
  regainEffective()
  sys.umask(user.umask ?? defaultUmask)
}

/** In a user namespace that may not drop groups (setgroups: deny, user_namespaces(7)) there are none to drop. */
function setGroups(groups: readonly number[]): void {
  const set = sys.setgroups([...groups])
  if (set === -E.EPERM && groups.length === 0) return
  check('setgroups', groups.join(' '), set)
}

/**
 * The process owns its pipes and terminal, so that it can open /dev/stdout again. Devices such as
 * /dev/null are everybody's and stay as they are; so does what may not be given away.
 */
function ownStdio(uid: number): void {
  for (const fd of [0, 1, 2]) {
    const stat = checked('statx', `descriptor ${fd}`, sys.statx(fd, '', AT_EMPTY_PATH))
    const isTerminal = stat.rdevMajor >= 136 && stat.rdevMajor <= 143
    if (stat.uid === uid || ((stat.mode & S_IFMT) === S_IFCHR && !isTerminal)) continue
    const changed = sys.fchownat(fd, '', uid, stat.gid, AT_EMPTY_PATH)
    if (changed !== -E.EINVAL && changed !== -E.EPERM && changed !== -E.EROFS) check('chown', `descriptor ${fd}`, changed)
  }
}
