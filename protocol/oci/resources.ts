import { type Check, flag, int64, list, matching, needed, oneOf, type Place, type Problems, record, table, text, uint16, uint32, uint64, whole } from './check.ts'

/** Limits of a container's cgroup (config-linux.md#control-groups); also what Update sends. */
export interface LinuxResources {
  devices?: LinuxDeviceCgroup[]
  memory?: LinuxMemory
  cpu?: LinuxCpu
  pids?: LinuxPids
  blockIO?: LinuxBlockIo
  hugepageLimits?: LinuxHugepageLimit[]
  network?: LinuxNetwork
  /** By device name. */
  rdma?: Record<string, LinuxRdma>
  /** cgroup v2 files and what to write into them. */
  unified?: Record<string, string>
}

/** One rule of the device allowlist; later rules win. Absent numbers mean all. */
export interface LinuxDeviceCgroup {
  allow: boolean
  /** a (all), c, b; absent: a. */
  type?: string
  major?: number
  minor?: number
  /** Any of r, w, m; absent: all three. */
  access?: string
}

/** Bytes; -1: no limit. */
export interface LinuxMemory {
  limit?: number
  reservation?: number
  /** Memory and swap together. */
  swap?: number
  kernel?: number
  kernelTCP?: number
  swappiness?: number
  disableOOMKiller?: boolean
  useHierarchy?: boolean
  checkBeforeUpdate?: boolean
}

/** Times in microseconds. */
export interface LinuxCpu {
  shares?: number
  /** At or below 0: no limit. */
  quota?: number
  burst?: number
  period?: number
  realtimeRuntime?: number
  realtimePeriod?: number
  cpus?: string
  mems?: string
  idle?: number
}

export interface LinuxPids {
  /** At or below 0: no limit. */
  limit: number
}

/** Shares and rates of block devices. */
export interface LinuxBlockIo {
  weight?: number
  leafWeight?: number
  weightDevice?: LinuxWeightDevice[]
  throttleReadBpsDevice?: LinuxThrottleDevice[]
  throttleWriteBpsDevice?: LinuxThrottleDevice[]
  throttleReadIOPSDevice?: LinuxThrottleDevice[]
  throttleWriteIOPSDevice?: LinuxThrottleDevice[]
}

export interface LinuxWeightDevice {
  major: number
  minor: number
  weight?: number
  leafWeight?: number
}

export interface LinuxThrottleDevice {
  major: number
  minor: number
  /** Bytes or operations in a second. */
  rate: number
}

export interface LinuxHugepageLimit {
  /** 2MB, 1GB … */
  pageSize: string
  /** Bytes. */
  limit: number
}

export interface LinuxNetwork {
  classID?: number
  priorities?: { name: string; priority: number }[]
}

export interface LinuxRdma {
  hcaHandles?: number
  hcaObjects?: number
}

const deviceRule = record<LinuxDeviceCgroup>(() => ({
  allow: needed(flag, 'say true or false'),
  type: oneOf(['', 'a', 'b', 'c'], 'config-linux.md#allowed-device-list'),
  major: int64,
  minor: int64,
  access: matching(/^[rwm]*$/, 'made of r, w and m', 'config-linux.md#allowed-device-list'),
}))

const throttled = list(record<LinuxThrottleDevice>(() => ({ major: needed(int64), minor: needed(int64), rate: needed(uint64) })))

const cpuSet = matching(/^\s*$|^\s*\d+(-\d+)?(\s*,\s*\d+(-\d+)?)*\s*$/, 'a list such as 0-3,7', 'config-linux.md#cpu')

function judgeMemory(memory: LinuxMemory, place: Place, problems: Problems): void {
  const { limit, swap } = memory
  if (limit !== undefined && swap !== undefined && limit > 0 && swap > 0 && swap < limit) {
    problems.report({ holder: place, key: 'swap' }, `${swap}; it is memory and swap together, so not below limit, which is ${limit}`, 'config-linux.md#memory')
  }
}

/** A file of a cgroup2 directory; a path would reach into another cgroup. */
function judgeUnified(resources: LinuxResources, place: Place, problems: Problems): void {
  for (const file of Object.keys(resources.unified ?? {})) {
    if (/^[a-z0-9_]+(\.[A-Za-z0-9_]+)+$/.test(file)) continue
    problems.report({ holder: { holder: place, key: 'unified' }, key: file }, 'must be the name of a cgroup v2 file, for example memory.high', 'config-linux.md#unified')
  }
}

/** Checks `linux.resources` of a spec, or the resources of an update (config-linux.md#control-groups). */
export const resources: Check = record<LinuxResources>(() => ({
  devices: list(deviceRule),
  memory: record<LinuxMemory>(() => ({
    limit: int64,
    reservation: int64,
    swap: int64,
    kernel: int64,
    kernelTCP: int64,
    swappiness: whole(0, 100),
    disableOOMKiller: flag,
    useHierarchy: flag,
    checkBeforeUpdate: flag,
  }), judgeMemory),
  cpu: record<LinuxCpu>(() => ({
    shares: uint64,
    quota: int64,
    burst: uint64,
    period: uint64,
    realtimeRuntime: int64,
    realtimePeriod: uint64,
    cpus: cpuSet,
    mems: cpuSet,
    idle: whole(0, 1),
  })),
  pids: record<LinuxPids>(() => ({ limit: needed(int64) })),
  blockIO: record<LinuxBlockIo>(() => ({
    weight: uint16,
    leafWeight: uint16,
    weightDevice: list(record<LinuxWeightDevice>(() => ({ major: needed(int64), minor: needed(int64), weight: uint16, leafWeight: uint16 }))),
    throttleReadBpsDevice: throttled,
    throttleWriteBpsDevice: throttled,
    throttleReadIOPSDevice: throttled,
    throttleWriteIOPSDevice: throttled,
  })),
  hugepageLimits: list(record<LinuxHugepageLimit>(() => ({
    pageSize: needed(matching(/^[1-9][0-9]*[KMG]B$/, 'a size such as 2MB', 'config-linux.md#huge-page-limits')),
    limit: needed(uint64),
  }))),
  network: record<LinuxNetwork>(() => ({
    classID: uint32,
    priorities: list(record<{ name: string; priority: number }>(() => ({ name: needed(text), priority: needed(uint32) }))),
  })),
  rdma: table(record<LinuxRdma>(() => ({ hcaHandles: uint32, hcaObjects: uint32 }))),
  unified: table(text),
}), judgeUnified)
