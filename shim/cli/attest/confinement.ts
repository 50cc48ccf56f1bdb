import type { ProcessView } from './process-view.ts'

export type Role = 'vmm' | 'virtiofsd' | 'vsock'

/** What virtiofsd acts for the guest's users with, inside the share. */
const shareCapabilities = ['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID', 'SETGID', 'SETUID', 'MKNOD', 'SETFCAP', 'DAC_READ_SEARCH']

/** Directories of the host's root that no confined process has in its own. */
const hostDirectories = ['proc', 'sys', 'home', 'root', 'var', 'boot', 'run', 'srv', 'mnt']

/** In what `view` is more than a process of that role needs: one line each, none where it is shut in. Pure. */
export function excess(view: ProcessView, role: Role): string[] {
  const share = role === 'virtiofsd'
  const capabilities = view.capabilities.filter(name => !share || !shareCapabilities.includes(name))
  // Its parent waits for the worker only: no filter, and nothing that it could filter.
  const waits = share && view.capabilities.length === 0
  const writable = view.writable.filter(path => role !== 'vsock' || path !== '/sockets')
  const seen = view.root.filter(name => hostDirectories.includes(name))
  return [
    ...(!share && view.uid === 0 ? ['runs as root'] : []),
    ...(view.groups.length > 0 ? [`is in the groups ${view.groups.join(' ')}`] : []),
    ...(capabilities.length > 0 ? [`has capabilities ${capabilities.join(' ')}`] : []),
    ...(view.noNewPrivs ? [] : ['may gain privileges by execve']),
    ...(view.seccomp === 2 || waits ? [] : ['has no filter of system calls']),
    ...(view.sharedNamespaces.length > 0 ? [`shares namespaces ${view.sharedNamespaces.join(' ')} with the host`] : []),
    ...(!share && seen.length > 0 ? [`sees ${seen.map(name => `/${name}`).join(' ')}`] : []),
    ...(!share && writable.length > 0 ? [`may write ${writable.slice(0, 3).join(' ')}${writable.length > 3 ? ` and ${writable.length - 3} more` : ''}`] : []),
    ...(view.signals.length > 0 ? [`may signal ${view.signals.length} processes`] : []),
    ...(view.traces.length > 0 ? [`may trace ${view.traces.length} processes`] : []),
    ...(view.tasksLimit === undefined ? ['has no limit of processes'] : []),
    ...(view.memoryLimitBytes === undefined ? ['has no limit of memory'] : []),
    ...(view.coreLimitBytes > 1 ? ['may leave a core dump'] : []),
  ]
}
