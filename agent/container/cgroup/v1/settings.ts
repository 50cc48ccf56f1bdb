import { E, isErrno, SysError } from '../../../../native/ts/errno.ts'
import { Fault } from '../../../../native/ts/fault.ts'
import { writeKernelFile } from '../../../../native/ts/file.ts'
import type { LinuxBlockIo, LinuxCpu, LinuxMemory, LinuxResources } from '../../../../protocol/oci/resources.ts'
import { deviceRule } from '../device-rules.ts'
import { readIfAny } from '../values.ts'

/** The container's directory in the hierarchy of a controller; undefined when this host has none. */
export type DirectoryOf = (controller: string) => string | undefined

/** Brings `resources` about, in the order the files ask for. */
export function applySettings(resources: LinuxResources, directoryOf: DirectoryOf): void {
  const { memory, cpu, pids, blockIO, hugepageLimits, network, rdma, unified, devices } = resources
  if (unified && Object.keys(unified).length > 0) throw new Fault('linux.resources.unified: this host has cgroup v1', { fix: 'use the fields for each controller' })
  const set = (controller: string, file: string, value: string | number) => {
    const directory = directoryOf(controller)
    if (directory === undefined) throw new Fault(`linux.resources: this host has no ${controller} controller for ${file}`)
    try {
      writeKernelFile(`${directory}/${file}`, `${value}`)
    } catch (error) {
      if (isErrno(error, E.ENOENT)) throw new SysError(error.call, error.object, error.errno, { fix: `this kernel's ${controller} controller has no ${file}` })
      throw error
    }
  }
  if (devices) for (const rule of devices) setDevice(rule, set)
  if (cpu) setCpu(cpu, set)
  if (memory) setMemory(memory, set, directoryOf('memory'))
  if (pids && pids.limit !== 0) set('pids', 'pids.max', pids.limit > 0 ? pids.limit : 'max')
  if (blockIO) setBlockIo(blockIO, set, directoryOf('blkio'))
  for (const { pageSize, limit } of hugepageLimits ?? []) {
    // A limit of zero is what CRI writes for every page size, and without the controller nobody has any of those pages.
    if (limit > 0 || directoryOf('hugetlb') !== undefined) set('hugetlb', `hugetlb.${pageSize}.limit_in_bytes`, limit)
  }
  if (network?.classID !== undefined) set('net_cls', 'net_cls.classid', network.classID)
  for (const { name, priority } of network?.priorities ?? []) set('net_prio', 'net_prio.ifpriomap', `${name} ${priority}`)
  for (const [device, { hcaHandles, hcaObjects }] of Object.entries(rdma ?? {})) {
    set('rdma', 'rdma.max', `${device} hca_handle=${hcaHandles ?? 'max'} hca_object=${hcaObjects ?? 'max'}`)
  }
}

type Set = (controller: string, file: string, value: string | number) => void

/** devices.rst: «a» stands alone, everything else has type, numbers and access. */
function setDevice(rule: Parameters<typeof deviceRule>[0], set: Set): void {
  const { allow, type, major, minor, access } = deviceRule(rule)
  set('devices', allow ? 'devices.allow' : 'devices.deny', type === 'a' && major === undefined && minor === undefined ? 'a' : `${type} ${major ?? '*'}:${minor ?? '*'} ${access}`)
}

function setCpu(cpu: LinuxCpu, set: Set): void {
  if (cpu.shares) set('cpu', 'cpu.shares', cpu.shares)
  // A period alone could fall below the quota in force, and a quota alone rise above the period: both orders are tried.
  if (cpu.period && cpu.quota) setTogether(() => set('cpu', 'cpu.cfs_period_us', cpu.period ?? 0), () => set('cpu', 'cpu.cfs_quota_us', cpu.quota ?? -1))
  else if (cpu.period) set('cpu', 'cpu.cfs_period_us', cpu.period)
  else if (cpu.quota) set('cpu', 'cpu.cfs_quota_us', cpu.quota)
  if (cpu.burst !== undefined) set('cpu', 'cpu.cfs_burst_us', cpu.burst)
  if (cpu.realtimePeriod) set('cpu', 'cpu.rt_period_us', cpu.realtimePeriod)
  if (cpu.realtimeRuntime) set('cpu', 'cpu.rt_runtime_us', cpu.realtimeRuntime)
  if (cpu.idle !== undefined) set('cpu', 'cpu.idle', cpu.idle)
  if (cpu.cpus) set('cpuset', 'cpuset.cpus', cpu.cpus.trim())
  if (cpu.mems) set('cpuset', 'cpuset.mems', cpu.mems.trim())
}

/** Two files that limit each other: when the first refuses its value, the second goes first. */
function setTogether(first: () => void, second: () => void): void {
  try {
    first()
  } catch (error) {
    if (!isErrno(error, E.EINVAL, E.EBUSY)) throw error
    second()
    first()
    return
  }
  second()
}

function setMemory(memory: LinuxMemory, set: Set, directory: string | undefined): void {
  const { limit, swap, reservation, kernelTCP, swappiness, disableOOMKiller } = memory
  if (memory.checkBeforeUpdate && limit && limit > 0) {
    const usage = Number(readIfAny(`${directory}/memory.usage_in_bytes`) ?? 0)
    if (usage > limit) throw new Fault(`linux.resources.memory.limit ${limit} is below the ${usage} bytes in use`)
  }
  // memory.memsw contains memory: which of the two goes first depends on whether they grow or shrink. Kernels without swap accounting have no memsw.
  const hasSwap = directory !== undefined && readIfAny(`${directory}/memory.memsw.limit_in_bytes`) !== undefined
  const setLimit = () => limit && set('memory', 'memory.limit_in_bytes', limit)
  // «No limit» for memory means none for memory and swap together either.
  const both = swap || (limit === -1 ? -1 : 0)
  if (both && (hasSwap || (swap ?? 0) > 0)) setTogether(() => void setLimit(), () => set('memory', 'memory.memsw.limit_in_bytes', both))
  else setLimit()
  if (reservation) set('memory', 'memory.soft_limit_in_bytes', reservation)
  if (kernelTCP) set('memory', 'memory.kmem.tcp.limit_in_bytes', kernelTCP)
  if (swappiness !== undefined) set('memory', 'memory.swappiness', swappiness)
  if (disableOOMKiller) set('memory', 'memory.oom_control', 1)
}

function setBlockIo(io: LinuxBlockIo, set: Set, directory: string | undefined): void {
  // CFQ, which left the kernel with 5.0, has the files without a prefix.
  const weights = directory !== undefined && readIfAny(`${directory}/blkio.weight`) !== undefined ? 'blkio.weight' : 'blkio.bfq.weight'
  if (io.weight) set('blkio', weights, io.weight)
  if (io.leafWeight) set('blkio', 'blkio.leaf_weight', io.leafWeight)
  for (const { major, minor, weight } of io.weightDevice ?? []) if (weight) set('blkio', `${weights}_device`, `${major}:${minor} ${weight}`)
  const throttles = [
    ['read_bps', io.throttleReadBpsDevice], ['write_bps', io.throttleWriteBpsDevice],
    ['read_iops', io.throttleReadIOPSDevice], ['write_iops', io.throttleWriteIOPSDevice],
  ] as const
  for (const [key, devices] of throttles) {
    for (const { major, minor, rate } of devices ?? []) set('blkio', `blkio.throttle.${key}_device`, `${major}:${minor} ${rate}`)
  }
}
