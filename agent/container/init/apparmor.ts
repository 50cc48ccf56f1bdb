import * as sys from 'native:sys'
import { AT_FDCWD, O_WRONLY } from '../../../native/ts/constants/fcntl.ts'
import { E, SysError } from '../../../native/ts/errno.ts'
import { Fd, open } from '../../../native/ts/fd.ts'

/** Whether this kernel has AppArmor, in use (Documentation/admin-guide/LSM/apparmor.rst). */
export function hasAppArmor(): boolean {
  const enabled = sys.readFile(AT_FDCWD, '/sys/module/apparmor/parameters/enabled', 16)
  return typeof enabled !== 'number' && enabled[0] === 'Y'.charCodeAt(0)
}

/**
 * Where a process says under which profile its next program runs, opened while /proc is the runtime's: over the container's
 * anything could lie (CVE-2019-16884). Kernels before 5.8 have one file for all security modules. The caller owns it. Throws SysError.
 */
export function openProfile(): Fd {
  const own = sys.openat(AT_FDCWD, '/proc/self/attr/apparmor/exec', O_WRONLY, 0)
  return own >= 0 ? new Fd(own, 'AppArmor profile') : open('/proc/self/attr/exec', O_WRONLY)
}

/** Says it. Throws SysError: for a profile that is not loaded, here and not at execve(2). */
export function chooseProfile(file: Fd, profile: string): void {
  const bytes = sys.utf8Encode(`exec ${profile}`)
  const written = sys.write(file.number, bytes, 0, bytes.length)
  file.close()
  if (written < 0) throw new SysError('write', `AppArmor profile ${profile} (process.apparmorProfile)`, -written, written === -E.ENOENT ? { fix: 'load the profile with apparmor_parser' } : {})
}
