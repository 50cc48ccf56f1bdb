import { readText, writeKernelFile } from '../../native/ts/file.ts'

const root = '/sys/fs/cgroup'

/** Lets containers have every controller that the kernel has (cgroup v2, "Enabling and Disabling"). */
export function enableControllers(): void {
  const controllers = readText(`${root}/cgroup.controllers`).trim().split(' ').filter(Boolean)
  if (controllers.length > 0) writeKernelFile(`${root}/cgroup.subtree_control`, controllers.map(name => `+${name}`).join(' '))
}
