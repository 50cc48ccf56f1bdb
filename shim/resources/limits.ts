import type { LinuxResources } from '../../protocol/oci/resources.ts'
import type { Spec } from '../../protocol/oci/spec.ts'

/** What a pod, or a container that is a sandbox of its own, may use in all. 0: no limit was asked for. */
export interface PodLimits {
  memoryBytes: number
  /** CPUs, with a fraction: quota by period. */
  cpus: number
  /** In huge pages, which the guest has to set aside: no part of memoryBytes. */
  hugepageBytes: number
}

export const noLimits: PodLimits = { memoryBytes: 0, cpus: 0, hugepageBytes: 0 }

/** Whether CRI made this container, and as what: `sandbox` or `container` (containerd, pkg/cri/annotations). */
export const containerTypeAnnotation = 'io.kubernetes.cri.container-type'

/** containerd's CRI plugin writes kubelet's sum over the pod's containers here, without the RuntimeClass's overhead. */
const sandboxMemory = 'io.kubernetes.cri.sandbox-memory'
const sandboxCpuQuota = 'io.kubernetes.cri.sandbox-cpu-quota'
const sandboxCpuPeriod = 'io.kubernetes.cri.sandbox-cpu-period'
const sandboxCpuShares = 'io.kubernetes.cri.sandbox-cpu-shares'

/** kubelet's shares for a CPU that is requested. */
const sharesOfCpu = 1024

/** Of the sandbox that `spec` begins: the pod's annotations where it is a pod, otherwise the container's own limits. */
export function limitsOf(spec: Spec): PodLimits {
  const annotations = spec.annotations ?? {}
  const isPod = [containerTypeAnnotation, sandboxMemory, sandboxCpuQuota].some(name => annotations[name] !== undefined)
  return isPod ? limitsOfAnnotations(annotations) : limitsOfResources(spec.linux?.resources ?? {})
}

function limitsOfAnnotations(annotations: Readonly<Record<string, string>>): PodLimits {
  const number = (name: string): number => {
    const text = annotations[name] ?? ''
    return /^\d{1,18}$/.test(text) ? Number(text) : 0
  }
  // Without a limit a pod must still be able to use the CPUs that it requested (and was given alone, by the static CPU manager).
  const requested = number(sandboxCpuShares) / sharesOfCpu
  return {
    memoryBytes: number(sandboxMemory),
    cpus: cpus(number(sandboxCpuQuota), number(sandboxCpuPeriod)) || (requested > 1 ? requested : 0),
    hugepageBytes: 0,
  }
}

/** As OCI resources say it: CRI's LinuxContainerResources have the same meaning. */
export function limitsOfResources({ memory, cpu, hugepageLimits }: LinuxResources): PodLimits {
  return {
    memoryBytes: Math.max(0, memory?.limit ?? 0),
    cpus: cpus(cpu?.quota ?? 0, cpu?.period ?? 0),
    hugepageBytes: (hugepageLimits ?? []).reduce((total, { limit }) => total + limit, 0),
  }
}

/** The kernel's period where none is given (Documentation/scheduler/sched-bwc.rst). */
const defaultPeriodUs = 100_000

function cpus(quotaUs: number, periodUs: number): number {
  return quotaUs > 0 ? quotaUs / (periodUs > 0 ? periodUs : defaultPeriodUs) : 0
}
