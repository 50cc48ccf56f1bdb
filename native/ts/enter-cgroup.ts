import { exists, writeKernelFile } from './file.ts'

/**
 * Puts the calling process, which must have one thread, into the cgroup at `directory`, of either version. Throws SysError.
 *
 * In version 1 by `tasks`: a thread that moves itself can neither fork nor end meanwhile, so the kernel takes no lock
 * against that (cgroup_procs_write_start, kernel/cgroup/cgroup.c, since Linux 5.5). For a move by another process, or one
 * through cgroup.procs, it takes it, which waits for an RCU grace period: a dozen milliseconds.
 */
export function enterCgroup(directory: string): void {
  writeKernelFile(`${directory}/${exists(`${directory}/tasks`) ? 'tasks' : 'cgroup.procs'}`, '0')
}
