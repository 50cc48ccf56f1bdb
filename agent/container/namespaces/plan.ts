import { CLONE_NEWCGROUP, CLONE_NEWTIME } from '../../../native/ts/constants/sched.ts'
import { O_RDONLY } from '../../../native/ts/constants/fcntl.ts'
import { Fault } from '../../../native/ts/fault.ts'
import { open, type Fd } from '../../../native/ts/fd.ts'
import type { LinuxNamespace, NamespaceType } from '../../../protocol/oci/linux.ts'
import { namespaceTypes } from './types.ts'

/** A namespace to join, opened. */
export interface Joined {
  type: NamespaceType
  path: string
  fd: Fd
}

export interface NamespacePlan {
  /** CLONE_NEW* for clone3(2). */
  cloneFlags: number
  /**
   * CLONE_NEW* for unshare(2) in init. A cgroup namespace is rooted where its maker is, so init must be
   * in its cgroup first; a time namespace takes its offsets before anyone is in it (time_namespaces(7)).
   */
  lateFlags: number
  /** The pid namespace to be born in: setns(2) moves only children there, so the parent steps in around clone3. */
  bornIn: Joined | undefined
  /** The user namespace to be born in: those that are made must belong to it. */
  user: Joined | undefined
  /** Joined by init, in this order. */
  joined: Joined[]
  /** Every type that is not the runtime's own. */
  separate: ReadonlySet<NamespaceType>
}

/** Mount last: it takes the runtime's files out of sight. */
const joinOrder: readonly NamespaceType[] = ['ipc', 'uts', 'network', 'cgroup', 'time', 'mount']

/**
 * Sorts the namespaces of the spec into new and joined ones, and opens the latter; `overrides` are paths
 * by type in place of the spec's. The caller owns the descriptors in the result (closePlan).
 */
export function planNamespaces(namespaces: readonly LinuxNamespace[], overrides: Partial<Record<NamespaceType, string>> = {}): NamespacePlan {
  const paths = new Map<NamespaceType, string>()
  for (const { type, path } of namespaces) {
    if (paths.has(type)) throw new Fault(`linux.namespaces has ${type} twice`)
    paths.set(type, path ?? '')
  }
  for (const [type, path] of Object.entries(overrides)) paths.set(type as NamespaceType, path) // keys of a Record are its key type
  const fresh = [...paths].filter(([, path]) => path === '').map(([type]) => namespaceTypes[type].flag)
  const late = CLONE_NEWCGROUP | CLONE_NEWTIME
  const flags = fresh.reduce((all, flag) => all | flag, 0)
  const opened: Joined[] = []
  try {
    for (const type of ['pid', 'user', ...joinOrder] as const) {
      const path = paths.get(type)
      if (path) opened.push({ type, path, fd: open(path, O_RDONLY) })
    }
  } catch (error) {
    for (const { fd } of opened) fd.close()
    throw error
  }
  return {
    cloneFlags: flags & ~late,
    lateFlags: flags & late,
    bornIn: opened.find(({ type }) => type === 'pid'),
    user: opened.find(({ type }) => type === 'user'),
    joined: opened.filter(({ type }) => type !== 'pid' && type !== 'user'),
    separate: new Set(paths.keys()),
  }
}

/** Closes what the plan owns. */
export function closePlan(plan: NamespacePlan): void {
  plan.bornIn?.fd.close()
  plan.user?.fd.close()
  for (const { fd } of plan.joined) fd.close()
}
