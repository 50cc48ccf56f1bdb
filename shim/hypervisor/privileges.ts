import * as sys from 'native:sys'
import { capabilityNumber } from '../../native/ts/constants/capability.ts'
import { AT_FDCWD } from '../../native/ts/constants/fcntl.ts'
import { PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_SET_PDEATHSIG } from '../../native/ts/constants/prctl.ts'
import { SIGKILL } from '../../native/ts/constants/signal.ts'
import { check, E, SysError } from '../../native/ts/errno.ts'
import { readText } from '../../native/ts/file.ts'

/** Whom a process of a sandbox runs as. */
export interface Privileges {
  uid: number
  gid: number
  groups: number[]
  /** `CAP_CHOWN` …; undefined: none. */
  capabilities?: readonly string[]
}

/**
 * User ids of VMMs and vsock daemons: each has its own, so that one that was taken over can neither signal nor trace another.
 * The range lies behind what systemd gives to containers and below 2^31 (systemd's UIDS-GIDS.md); pids go to 2^22.
 */
const firstUid = 1_900_000_000
const roles = ['vmm', 'vsock'] as const

/** For hosts that are themselves in a user namespace, where only some ids exist. */
const nobody = 65_534

/** Privileges for a process of the sandbox whose shim is this one. `kvm`: it has to open the host's /dev/kvm. */
export function sandboxPrivileges(role: typeof roles[number], kvm = false): Privileges {
  const id = hasEveryUid() ? firstUid + sys.getpid() * roles.length + roles.indexOf(role) : nobody
  if (!kvm) return { uid: id, gid: id, groups: [] }
  const device = sys.statx(AT_FDCWD, '/dev/kvm', 0)
  const mode = typeof device === 'number' ? 0 : device.mode
  if (mode & 0o006) return { uid: id, gid: id, groups: [] }
  if (typeof device !== 'number' && (mode & 0o060) === 0o060 && device.gid !== 0) return { uid: id, gid: id, groups: [device.gid] }
  // Only root may open it: then root without capabilities.
  return { uid: 0, gid: 0, groups: [] }
}

/** Whether this user namespace maps the whole range (user_namespaces(7)). */
function hasEveryUid(): boolean {
  const [inside, , count] = readText('/proc/self/uid_map', 4096).trim().split(/\s+/).map(Number)
  return inside === 0 && count === 0xffff_ffff
}

/** The last capability of any kernel we may meet; PR_CAPBSET_DROP says EINVAL where this one has fewer. */
const lastCapability = 63

/** In a new process, before its execve: gives up everything but `privileges`. Throws SysError. */
export function dropPrivileges({ uid, gid, groups, capabilities = [] }: Privileges): void {
  const kept = new Set(capabilities.map(name => capabilityNumber(name)))
  for (let capability = 0; capability <= lastCapability; capability++) {
    if (kept.has(capability)) continue
    const result = sys.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
    if (result === -E.EINVAL) break
    check('prctl', `PR_CAPBSET_DROP ${capability}`, result)
  }
  check('setgroups', groups.join(','), sys.setgroups(groups))
  check('setresgid', String(gid), sys.setresgid(gid, gid, gid))
  check('setresuid', String(uid), sys.setresuid(uid, uid, uid))
  if (kept.size === 0) check('capset', 'none', sys.capset(0n, 0n, 0n))
  check('prctl', 'PR_SET_NO_NEW_PRIVS', sys.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
  // A change of credentials takes back the signal that spawn had asked for (prctl(2)).
  check('prctl', 'PR_SET_PDEATHSIG', sys.prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0))
}

/** The parent may have died before its death could be told: then there is nobody to serve. Throws SysError. */
export function requireParent(pid: number): void {
  if (sys.getppid() !== pid) throw new SysError('getppid', `${pid}`, E.ESRCH)
}
