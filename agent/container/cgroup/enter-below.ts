import { Fault } from '../../../native/ts/fault.ts'
import { writeKernelFile } from '../../../native/ts/file.ts'

/**
 * Moves a process into cgroups that exist below a container's: each `[<controller>[,<controller>…]:]<path>`, without
 * controllers in every hierarchy. `directories`: the container's (Cgroup.directories).
 */
export function enterBelow(directories: readonly string[], asked: readonly string[], pid: number): void {
  for (const entry of asked) {
    const [controllers, path] = entry.includes(':') ? [entry.slice(0, entry.indexOf(':')).split(','), entry.slice(entry.indexOf(':') + 1)] : [undefined, entry]
    if (path.split('/').includes('..')) throw new Fault(`bad sub cgroup path: ${path}`, { fix: 'it lies below the cgroup of the container' })
    const into = directories.filter(directory => controllers?.some(controller => ofHierarchy(directory).includes(controller)) ?? true)
    if (into.length === 0) throw new Fault(`unknown controller in ${JSON.stringify(entry)}`)
    for (const directory of into) writeKernelFile(`${directory}/${path.replace(/^\/+/, '')}/cgroup.procs`, `${pid}`)
  }
}

/** The controllers of `/sys/fs/cgroup/cpu,cpuacct/…`. */
function ofHierarchy(directory: string): string[] {
  return (/^\/sys\/fs\/cgroup\/([^/]+)/.exec(directory)?.[1] ?? '').split(',')
}
