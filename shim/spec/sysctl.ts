import { Fault } from '../../native/ts/fault.ts'
import { sysctlNamespace } from '../../protocol/oci/sysctl.ts'

/** The namespaces of a guest that its containers share: their sysctls are the sandbox's to set. */
const shared = ['network', 'ipc', 'uts']

/**
 * The sysctls that the spec of a sandbox's first container means for the whole sandbox: all of a pause container's, of
 * another one those of the network, which every container of a guest is in. Throws Fault for one of the machine: the guest's
 * kernel is the pod's alone, but what keeps a container from taking it over is not the pod author's to switch off.
 */
export function sandboxSysctls(sysctls: Readonly<Record<string, string>>, { isPause }: { isPause: boolean }): Record<string, string> {
  return Object.fromEntries(Object.entries(sysctls).filter(([key]) => {
    const namespace = sysctlNamespace(key) ?? ''
    if (shared.includes(namespace)) return isPause || namespace === 'network'
    if (isPause) throw new Fault(`sysctl ${key} is not of a pod's namespace`, { fix: 'pods may set kernel.shm*, kernel.msg*, kernel.sem, fs.mqueue.* and net.*' })
    return false
  }))
}

/** What is left of a container's sysctls when the sandbox has set its own. */
export function containerSysctls(sysctls: Readonly<Record<string, string>>, ofSandbox: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(sysctls).filter(([key, value]) => ofSandbox[key] !== value))
}
