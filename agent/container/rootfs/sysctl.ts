import { Fault } from '../../../native/ts/fault.ts'
import { writeKernelFile } from '../../../native/ts/file.ts'
import type { NamespaceType } from '../../../protocol/oci/linux.ts'

/** Keys that belong to a namespace, and to which (namespaces(7), Documentation/admin-guide/sysctl). */
const owners: readonly (readonly [key: RegExp, namespace: NamespaceType])[] = [
  [/^kernel\.(msgmax|msgmnb|msgmni|sem|shmall|shmmax|shmmni|shm_rmid_forced|auto_msgmni|msg_next_id|sem_next_id|shm_next_id)$/, 'ipc'],
  [/^fs\.mqueue\.[a-z_]+$/, 'ipc'],
  [/^kernel\.(hostname|domainname)$/, 'uts'],
  [/^net\.[^/]+(\.[^/]+)*$/, 'network'],
  [/^user\.max_[a-z_]+$/, 'user'],
]

/** `net.ipv4.ip_forward` → `net/ipv4/ip_forward`; sysctl(8) lets either separator be the first, and the other one be part of a name. */
export function sysctlPath(key: string): string {
  const first = /[./]/.exec(key)?.[0]
  if (first !== '.') return key
  return [...key].map(letter => (letter === '.' ? '/' : letter === '/' ? '.' : letter)).join('')
}

/** Refuses what would change more than the container's own namespaces. Throws Fault. */
export function checkSysctls(sysctls: Readonly<Record<string, string>>, separate: ReadonlySet<NamespaceType>): void {
  for (const key of Object.keys(sysctls)) {
    const path = sysctlPath(key)
    if (path.split('/').some(name => name === '' || name === '.' || name === '..')) throw new Fault(`linux.sysctl ${key} is no sysctl key`)
    const owner = owners.find(([pattern]) => pattern.test(path.replaceAll('.', '_').replaceAll('/', '.')))
    if (!owner) throw new Fault(`linux.sysctl ${key} is not of a namespace: it would change the whole machine`, { fix: 'set it on the node' })
    if (!separate.has(owner[1])) throw new Fault(`linux.sysctl ${key} needs an own ${owner[1]} namespace`)
  }
}

/** In init, while /proc is still the runtime's: the kernel takes the writer's namespaces. */
export function writeSysctls(sysctls: Readonly<Record<string, string>>): void {
  for (const [key, value] of Object.entries(sysctls)) writeKernelFile(`/proc/sys/${sysctlPath(key)}`, value)
}
