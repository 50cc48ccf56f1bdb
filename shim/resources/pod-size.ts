import type { Config } from '../config/schema.ts'
import type { LinuxResources } from '../../protocol/oci/resources.ts'
import { limitsOfResources, noLimits, type PodLimits } from './limits.ts'
import { possibleVcpus, type SizedVm, sizeOf, type VmSize } from './size.ts'

/** A change of limits: what the VM should be for it, and what to call when it is done, with what the VM became. */
export interface Change {
  size: SizedVm
  commit: (present: VmSize) => void
}

/**
 * The size that a running sandbox's VM should have. kubelet resizes a pod container by container (CRI
 * UpdateContainerResources), and tells nobody the new sum: it is the sum at the start, moved by each container's change.
 */
export class PodSize {
  #pod: PodLimits
  #present: VmSize
  #last: Promise<unknown> = Promise.resolve()
  readonly #first: VmSize
  readonly #containers = new Map<string, PodLimits>()

  /** `hypervisor`: of this sandbox, as its VM was made. */
  constructor(limits: PodLimits, private readonly hypervisor: Config['hypervisor']) {
    this.#pod = limits
    this.#first = this.#present = { memoryMib: hypervisor.memoryMib, vcpus: hypervisor.vcpus }
  }

  /** What the VM has. */
  get present(): VmSize {
    return this.#present
  }

  /** One change at a time: each begins with what the one before has left. */
  exclusively<T>(change: () => Promise<T>): Promise<T> {
    const done = this.#last.then(change)
    this.#last = done.catch(() => {})
    return done
  }

  add(containerId: string, resources: LinuxResources): void {
    this.#containers.set(containerId, limitsOfResources(resources))
  }

  remove(containerId: string): void {
    this.#containers.delete(containerId)
  }

  /** What an update of a container would make of the VM. */
  after(containerId: string, resources: LinuxResources): Change {
    const old = this.#containers.get(containerId) ?? noLimits
    const changed = { ...old, ...given(resources) }
    const others = [...this.#containers].filter(([id]) => id !== containerId).map(([, limits]) => limits)
    const sum = (of: (limits: PodLimits) => number): number => [...others, changed].reduce((total, limits) => total + of(limits), 0)
    const moved = (of: (limits: PodLimits) => number): number => {
      const pod = of(this.#pod)
      // Nothing was said about the pod as a whole: its containers are all that is known.
      if (pod === 0) return sum(of)
      return of(old) > 0 && of(changed) > 0 ? Math.max(0, pod + of(changed) - of(old)) : pod
    }
    const limits: PodLimits = { memoryBytes: moved(each => each.memoryBytes), cpus: moved(each => each.cpus), hugepageBytes: Math.max(this.#pod.hugepageBytes, sum(each => each.hugepageBytes)) }
    return { size: this.#size(limits), commit: present => { this.#present = present; this.#commit(containerId, changed, limits) } }
  }

  /** The whole pod's new limits, where they are told (Sandbox API). */
  resized(limits: PodLimits): Change {
    return { size: this.#size(limits), commit: present => { this.#present = present; this.#pod = limits } }
  }

  #commit(containerId: string, changed: PodLimits, limits: PodLimits): void {
    this.#containers.set(containerId, changed)
    if (this.#pod.memoryBytes > 0) this.#pod = { ...this.#pod, memoryBytes: limits.memoryBytes }
    if (this.#pod.cpus > 0) this.#pod = { ...this.#pod, cpus: limits.cpus }
  }

  #size(limits: PodLimits): SizedVm {
    const { hypervisor } = this
    const { memoryMib, vcpus, notes } = sizeOf(limits, hypervisor)
    const most = possibleVcpus(this.#first.vcpus, hypervisor)
    if (vcpus > most) notes.push(`the CPU limit asks for ${vcpus} vCPUs; this VM can have ${most}, a new one more`)
    return {
      // What it booted with cannot be taken out. What nobody uses of that goes back to the host all the same (the balloon reports free pages).
      memoryMib: Math.max(memoryMib, this.#first.memoryMib),
      vcpus: this.#pod.cpus > 0 ? Math.min(vcpus, most) : Math.min(Math.max(vcpus, this.#first.vcpus), most),
      notes,
    }
  }
}

/** What an update says something about. */
function given(resources: LinuxResources): Partial<PodLimits> {
  const limits = limitsOfResources(resources)
  return {
    ...(resources.memory?.limit ? { memoryBytes: limits.memoryBytes } : {}),
    ...(resources.cpu?.quota ? { cpus: limits.cpus } : {}),
  }
}
