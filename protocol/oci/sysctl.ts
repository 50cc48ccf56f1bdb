import type { NamespaceType } from './linux.ts'

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

/** Whether the key stays below /proc/sys: no empty part, none that walks. */
export function isSysctlKey(key: string): boolean {
  return !sysctlPath(key).split('/').some(name => name === '' || name === '.' || name === '..')
}

/** The type of namespace that the key belongs to; undefined: to the whole machine, or it is no key. */
export function sysctlNamespace(key: string): NamespaceType | undefined {
  if (!isSysctlKey(key)) return undefined
  const path = sysctlPath(key)
  return owners.find(([pattern]) => pattern.test(path.replaceAll('.', '_').replaceAll('/', '.')))?.[1]
}
