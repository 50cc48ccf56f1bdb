import { Fault } from '../../native/ts/fault.ts'
import type { Linux, LinuxDevice } from '../../protocol/oci/linux.ts'
import type { Spec } from '../../protocol/oci/spec.ts'
import type { LinuxDeviceCgroup, LinuxResources } from '../../protocol/oci/resources.ts'
import { type DiskRequest, listsHostDevices, rewriteDeviceRules } from './disks.ts'

/** Minor numbers of major 10, miscellaneous devices, that mean the same in every kernel: tun, fuse, loop-control. */
const miscMinors = new Set([200, 229, 237])
/** Of the memory devices (major 1): mem, kmem and port, which the guest's kernel is built without. */
const memoryMinorsAbsent = new Set([1, 2, 4])

/**
 * Character devices whose numbers mean the same in every Linux kernel (Documentation/admin-guide/devices.txt):
 * memory devices (major 1), tty, console and ptmx (5), pseudo-terminals (136–143) and some of major 10.
 */
export function isUniversalCharacterDevice(major: number, minor: number): boolean {
  if (major === 1) return !memoryMinorsAbsent.has(minor)
  return major === 5 || (major >= 136 && major <= 143) || (major === 10 && miscMinors.has(minor))
}

function isUniversal({ type, major = -1, minor = -1 }: LinuxDevice): boolean {
  return type === 'p' || ((type === 'c' || type === 'u') && isUniversalCharacterDevice(major, minor))
}

/** What only a privileged container has, of what all clients give one: a /sys to write to, nothing covered, every capability. */
function isPrivileged(spec: Spec): boolean {
  const { maskedPaths = [], readonlyPaths = [] } = spec.linux ?? {}
  const sys = spec.mounts?.find(mount => mount.destination === '/sys')
  const capabilities = new Set(spec.process?.capabilities?.bounding)
  return maskedPaths.length === 0 && readonlyPaths.length === 0 && sys !== undefined && !sys.options?.includes('ro')
    && ['CAP_SYS_ADMIN', 'CAP_SYS_RAWIO', 'CAP_MKNOD'].every(name => capabilities.has(name))
}

/**
 * Whether the container is given all devices of the guest: where it is privileged, with the host's devices in its spec or
 * (containerd's `privileged_without_host_devices`) without. What it may use is one machine's, and that machine is its own.
 */
export function wantsGuestDevices(spec: Spec): boolean {
  return listsHostDevices(spec.linux) || isPrivileged(spec)
}

/**
 * Devices for the guest. A host device's number means another device there, or none: one that was
 * asked for by name is refused (Fault), and those that a privileged container was given because it is
 * privileged are left out, as no part of the host belongs to it.
 */
export function rewriteDevices(linux: Linux, disks: readonly DiskRequest[], dropped: (what: string) => void): LinuxDevice[] {
  const devices = linux.devices ?? []
  // Block devices that are plugged in stay, under their host numbers, which the agent replaces.
  const isDisk = (device: LinuxDevice) => device.type === 'b' && disks.some(disk => disk.major === device.major && disk.minor === device.minor)
  const foreign = devices.filter(device => !isUniversal(device) && !isDisk(device))
  const [first] = foreign
  if (first && !listsHostDevices(linux)) {
    throw new Fault(`device ${first.path} of the host cannot be given to a container in a microVM`, { fix: 'leave the device out' })
  }
  if (first) dropped(`${foreign.length} host devices of a privileged container, ${first.path} first: it has the guest's`)
  return devices.filter(device => !foreign.includes(device))
}

/**
 * Clients let every container use the kernel's console (containerd, oci.WithDefaultUnixDevices), where that of a terminal is a pseudo-terminal. In a guest it
 * is the line to the host's log: what a container wrote there would be taken for the kernel's words.
 */
function isConsole({ allow, type, major, minor }: LinuxDeviceCgroup): boolean {
  return allow && type === 'c' && major === 5 && minor === 1
}

/**
 * Resource limits for the guest's cgroup v2. block-I/O rules name host disks, network classes and RDMA
 * host adapters: they are left out. So are cpusets, to which the shim binds the VM (resources/host-cpuset.ts).
 */
export function rewriteResources(resources: LinuxResources, dropped: (what: string) => void, disks: readonly DiskRequest[] = []): LinuxResources {
  const { blockIO, network, rdma, cpu, hugepageLimits, ...rest } = resources
  if (blockIO && Object.values(blockIO).some(value => value !== undefined && value !== 0)) dropped('block-I/O limits: they name host disks')
  if (network?.classID || network?.priorities?.length) dropped('network classes: they name host interfaces')
  if (rdma && Object.keys(rdma).length > 0) dropped('RDMA limits: they name host adapters')
  const limits: LinuxResources = { ...rest, ...(rest.devices && { devices: rewriteDeviceRules(rest.devices.filter(rule => !isConsole(rule)), disks) }) }
  if (cpu) {
    const { cpus: _cpus, mems: _mems, realtimePeriod: _period, realtimeRuntime: _runtime, ...guestCpu } = cpu
    limits.cpu = guestCpu
  }
  // A limit of zero is what CRI writes for every page size of the host, known to the guest or not.
  const hugepages = hugepageLimits?.filter(limit => limit.limit > 0)
  if (hugepages?.length) limits.hugepageLimits = hugepages
  return limits
}
