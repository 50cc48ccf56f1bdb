import { Fault } from '../../native/ts/fault.ts'
import type { LinuxDevice } from '../../protocol/oci/linux.ts'
import type { LinuxDeviceCgroup, LinuxResources } from '../../protocol/oci/resources.ts'

/**
 * Character devices whose numbers mean the same in every Linux kernel (Documentation/admin-guide/devices.txt):
 * memory devices (major 1), tty, console and ptmx (5), pseudo-terminals (136–143), tun (10:200), fuse (10:229).
 */
function isUniversal(device: LinuxDevice): boolean {
  const { type, major = -1, minor = -1 } = device
  if (type === 'p') return true
  if (type !== 'c' && type !== 'u') return false
  return major === 1 || major === 5 || (major >= 136 && major <= 143) || (major === 10 && (minor === 200 || minor === 229))
}

/** Whether the device rules allow every device: what containerd writes for a privileged container. */
function allowsAll(rules: readonly LinuxDeviceCgroup[]): boolean {
  return rules.some(rule => rule.allow && (rule.type === undefined || rule.type === '' || rule.type === 'a') && rule.major === undefined && rule.minor === undefined)
}

/**
 * Devices for the guest. A host device's number means another device there, or none: one that was
 * asked for by name is refused (Fault), and those a privileged container was given because it is
 * privileged are left out, as no part of the host belongs to it.
 */
export function rewriteDevices(devices: readonly LinuxDevice[], rules: readonly LinuxDeviceCgroup[], dropped: (what: string) => void): LinuxDevice[] {
  const foreign = devices.filter(device => !isUniversal(device))
  const [first] = foreign
  if (first && !allowsAll(rules)) {
    throw new Fault(`device ${first.path} of the host cannot be given to a container in a microVM`, { fix: 'leave the device out' })
  }
  if (first) dropped(`${foreign.length} host devices of a privileged container, ${first.path} first`)
  return devices.filter(isUniversal)
}

/**
 * Resource limits for the guest's cgroup v2. cpusets and NUMA nodes name host CPUs, block-I/O rules
 * host disks, network classes and RDMA host adapters: they are left out.
 */
export function rewriteResources(resources: LinuxResources, dropped: (what: string) => void): LinuxResources {
  const { blockIO, network, rdma, cpu, hugepageLimits, ...rest } = resources
  if (blockIO && Object.values(blockIO).some(value => value !== undefined && value !== 0)) dropped('block-I/O limits: they name host disks')
  if (network?.classID || network?.priorities?.length) dropped('network classes: they name host interfaces')
  if (rdma && Object.keys(rdma).length > 0) dropped('RDMA limits: they name host adapters')
  const limits: LinuxResources = { ...rest }
  if (cpu) {
    const { cpus, mems, realtimePeriod: _period, realtimeRuntime: _runtime, ...guestCpu } = cpu
    if (cpus || mems) dropped(`cpuset ${cpus ?? ''} ${mems ?? ''}: it names host CPUs`)
    limits.cpu = guestCpu
  }
  // A limit of zero is what CRI writes for every page size of the host, known to the guest or not.
  const hugepages = hugepageLimits?.filter(limit => limit.limit > 0)
  if (hugepages?.length) limits.hugepageLimits = hugepages
  return limits
}
