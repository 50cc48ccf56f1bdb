import * as sys from 'native:sys'
import { Fault } from '../../native/ts/fault.ts'
import { readTextIfPresent } from '../../native/ts/file.ts'

/**
 * Whether the caller is root of the whole host. A user who is not, and the root of a user namespace, may have no right to make
 * cgroups: a container without limits does without. `option`: --rootless, which decides where it is not auto.
 */
export function isRootless(option = 'auto'): boolean {
  if (['true', '1', 't', 'T', 'TRUE', 'True'].includes(option)) return true
  if (['false', '0', 'f', 'F', 'FALSE', 'False'].includes(option)) return false
  if (option !== 'auto') throw new Fault(`invalid value ${JSON.stringify(option)} for --rootless`, { fix: 'it is true, false or auto' })
  return sys.geteuid() !== 0 || inUserNamespace()
}

/** The initial user namespace maps all ids onto themselves (user_namespaces(7)). */
function inUserNamespace(): boolean {
  const map = readTextIfPresent('/proc/self/uid_map')
  return map !== undefined && map.trim().replace(/\s+/g, ' ') !== '0 0 4294967295'
}

export function environment(name: string): string | undefined {
  return sys.environ().find(entry => entry.startsWith(`${name}=`))?.slice(name.length + 1)
}

/**
 * Whether we work for a user and not for the system, as runc decides it: the root of a user namespace may be a user of the host
 * (podman without root, which tells us no USER) or of a whole system in a container.
 */
export function worksForUser(): boolean {
  return sys.geteuid() !== 0 || (Boolean(environment('XDG_RUNTIME_DIR')) && environment('USER') !== 'root' && inUserNamespace())
}

/** Where containers' state is kept when --root does not say. */
export function defaultRoot(): string {
  const runtimeDirectory = environment('XDG_RUNTIME_DIR')
  return runtimeDirectory && worksForUser() ? `${runtimeDirectory}/kata-ts` : '/run/kata-ts/oci'
}
