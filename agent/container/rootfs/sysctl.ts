import { Fault } from '../../../native/ts/fault.ts'
import { writeKernelFile } from '../../../native/ts/file.ts'
import type { NamespaceType } from '../../../protocol/oci/linux.ts'
import { isSysctlKey, sysctlNamespace, sysctlPath } from '../../../protocol/oci/sysctl.ts'

/** Refuses what would change more than the container's own namespaces. Throws Fault. */
export function checkSysctls(sysctls: Readonly<Record<string, string>>, separate: ReadonlySet<NamespaceType>): void {
  for (const key of Object.keys(sysctls)) {
    if (!isSysctlKey(key)) throw new Fault(`linux.sysctl ${key} is no sysctl key`)
    const owner = sysctlNamespace(key)
    if (!owner) throw new Fault(`linux.sysctl ${key} is not of a namespace: it would change the whole machine`, { fix: 'set it on the node' })
    if (!separate.has(owner)) throw new Fault(`linux.sysctl ${key} needs an own ${owner} namespace`)
  }
}

/** In init, while /proc is still the runtime's: the kernel takes the writer's namespaces. */
export function writeSysctls(sysctls: Readonly<Record<string, string>>): void {
  for (const [key, value] of Object.entries(sysctls)) writeKernelFile(`/proc/sys/${sysctlPath(key)}`, value)
}
