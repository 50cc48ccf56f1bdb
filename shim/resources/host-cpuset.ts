import type { LinuxCpu, LinuxResources } from '../../protocol/oci/resources.ts'

/** CPUs and memory nodes of the host, as lists (cpuset(7), "List format"); empty: those of the group above. */
export interface Cpuset {
  cpus: string
  mems: string
}

const anywhere: Cpuset = { cpus: '', mems: '' }

/**
 * The CPUs of the host that a sandbox's VM runs on: those of its containers together. A container's cpuset (kubelet's static CPU manager,
 * `ctr run --cpuset-cpus`) names CPUs of the host, which the guest does not know; the VM's threads are what can be bound to them.
 * One container without a cpuset leaves the VM free.
 */
export class HostCpuset {
  readonly #containers = new Map<string, Cpuset>()
  #present = anywhere

  /** `bind`: applies a cpuset to the sandbox's cgroup; throws SysError. */
  constructor(private readonly bind: (cpuset: Cpuset) => void) {}

  /** A container comes with `resources`, or has new ones. Throws SysError (a CPU that the host does not have), and then nothing has changed. */
  set(containerId: string, { cpu }: LinuxResources): void {
    const before = this.#containers.get(containerId)
    this.#containers.set(containerId, merged(before, cpu))
    try {
      this.#apply()
    } catch (error) {
      if (before) this.#containers.set(containerId, before)
      else this.#containers.delete(containerId)
      throw error
    }
  }

  /** Throws SysError. */
  remove(containerId: string): void {
    // What the last one left is gone with the sandbox.
    if (this.#containers.delete(containerId) && this.#containers.size > 0) this.#apply()
  }

  #apply(): void {
    const all = [...this.#containers.values()]
    const union = (of: (cpuset: Cpuset) => string): string => all.every(each => of(each) !== '') ? [...new Set(all.map(of))].join(',') : ''
    const wanted = { cpus: union(each => each.cpus), mems: union(each => each.mems) }
    if (wanted.cpus === this.#present.cpus && wanted.mems === this.#present.mems) return
    this.bind(wanted)
    this.#present = wanted
  }
}

/** What an update does not name stays as it was. */
function merged(before: Cpuset = anywhere, cpu: LinuxCpu | undefined): Cpuset {
  return { cpus: cpu?.cpus || before.cpus, mems: cpu?.mems || before.mems }
}
