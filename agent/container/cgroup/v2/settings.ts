import { Fault } from '../../../../native/ts/fault.ts'
import type { LinuxBlockIo, LinuxCpu, LinuxMemory, LinuxResources } from '../../../../protocol/oci/resources.ts'

/** One write to a file of the cgroup. */
export interface Setting {
  file: string
  value: string
  /** Skipped where the kernel has no such file: what it would limit is not there either, or not limited by default. */
  optional?: boolean
}

/** Shares of cgroup v1 (2…262144, default 1024) as a weight of v2 (1…10000, default 100), as systemd and every runtime map them. */
export function cpuWeight(shares: number): number {
  const clamped = Math.min(Math.max(shares, 2), 262144)
  return Math.floor(1 + ((clamped - 2) * 9999) / 262142)
}

/** blkio weight (10…1000) as io.weight (1…10000), linear. */
export function ioWeight(weight: number): number {
  return Math.floor(1 + ((weight - 10) * 9999) / 990)
}

/**
 * The writes that bring `resources` about, in the order they must be made. `read`: the present text of a file, since
 * cpu.max holds two values of which the spec may give one.
 */
export function settings(resources: LinuxResources, read: (file: string) => string | undefined): Setting[] {
  const { memory, cpu, pids, blockIO, hugepageLimits, rdma, unified, network } = resources
  if (network?.classID || network?.priorities?.length) throw new Fault('linux.resources.network: cgroup v2 has no network classes', { fix: 'leave it out' })
  return [
    ...(memory ? memorySettings(memory, read) : []),
    ...(cpu ? cpuSettings(cpu, read) : []),
    ...(pids && pids.limit !== 0 ? [{ file: 'pids.max', value: pids.limit > 0 ? `${pids.limit}` : 'max' }] : []),
    ...(blockIO ? ioSettings(blockIO, read) : []),
    ...(hugepageLimits ?? []).map(({ pageSize, limit }) => ({ file: `hugetlb.${pageSize}.max`, value: `${limit}`, optional: limit === 0 })),
    ...Object.entries(rdma ?? {}).map(([device, { hcaHandles, hcaObjects }]) => ({
      file: 'rdma.max',
      value: `${device} hca_handle=${hcaHandles ?? 'max'} hca_object=${hcaObjects ?? 'max'}`,
    })),
    // Last: they are the user's own words and win.
    ...Object.entries(unified ?? {}).map(([file, value]) => ({ file, value })),
  ]
}

const bytes = (limit: number) => (limit < 0 ? 'max' : `${limit}`)

function memorySettings(memory: LinuxMemory, read: (file: string) => string | undefined): Setting[] {
  const made: Setting[] = []
  const { limit, swap, reservation } = memory
  if (limit) {
    if (memory.checkBeforeUpdate && limit > 0) {
      const usage = Number(read('memory.current') ?? 0)
      if (usage > limit) throw new Fault(`linux.resources.memory.limit ${limit} is below the ${usage} bytes in use`)
    }
    made.push({ file: 'memory.max', value: bytes(limit) })
  }
  // v1's swap is memory and swap together; v2's is swap alone. «No limit» for memory means none for swap either, as on v1.
  const both = swap || (limit === -1 ? -1 : 0)
  if (both) {
    const { swapOnly } = split(both, limit)
    made.push({ file: 'memory.swap.max', value: swapOnly, optional: swapOnly === 'max' || swapOnly === '0' })
  }
  if (reservation) made.push({ file: 'memory.low', value: bytes(reservation) })
  return made
}

function split(swap: number, limit: number | undefined): { swapOnly: string } {
  if (swap < 0) return { swapOnly: 'max' }
  if (limit === undefined || limit === 0) throw new Fault('linux.resources.memory.swap counts memory too, but there is no memory.limit', { fix: 'give both' })
  if (limit < 0) throw new Fault(`linux.resources.memory.swap ${swap} with an unlimited memory.limit has no meaning`)
  if (swap < limit) throw new Fault(`linux.resources.memory.swap ${swap} is below memory.limit ${limit}, which it contains`)
  return { swapOnly: `${swap - limit}` }
}

function cpuSettings(cpu: LinuxCpu, read: (file: string) => string | undefined): Setting[] {
  const made: Setting[] = []
  if (cpu.realtimeRuntime || cpu.realtimePeriod) throw new Fault('linux.resources.cpu: cgroup v2 has no realtime limits', { fix: 'leave realtimeRuntime and realtimePeriod out' })
  if (cpu.idle !== undefined) made.push({ file: 'cpu.idle', value: `${cpu.idle}` })
  if (cpu.shares && !cpu.idle) made.push({ file: 'cpu.weight', value: `${cpuWeight(cpu.shares)}` })
  if (cpu.quota !== undefined || cpu.period !== undefined) {
    const [presentQuota = 'max', presentPeriod = '100000'] = (read('cpu.max') ?? '').trim().split(' ').filter(Boolean)
    const quota = cpu.quota === undefined || cpu.quota === 0 ? presentQuota : cpu.quota > 0 ? `${cpu.quota}` : 'max'
    made.push({ file: 'cpu.max', value: `${quota} ${cpu.period || presentPeriod}` })
  }
  if (cpu.burst !== undefined) made.push({ file: 'cpu.max.burst', value: `${cpu.burst}` })
  if (cpu.cpus) made.push({ file: 'cpuset.cpus', value: cpu.cpus.trim() })
  if (cpu.mems) made.push({ file: 'cpuset.mems', value: cpu.mems.trim() })
  return made
}

function ioSettings(io: LinuxBlockIo, read: (file: string) => string | undefined): Setting[] {
  const made: Setting[] = []
  if (io.leafWeight) throw new Fault('linux.resources.blockIO.leafWeight: cgroup v2 has no leaf weights', { fix: 'leave it out' })
  // The BFQ scheduler has a file of its own, on v1's scale; the io.cost controller the one on v2's.
  if (io.weight) made.push({ file: 'io.bfq.weight', value: `${io.weight}`, optional: true }, { file: 'io.weight', value: `default ${ioWeight(io.weight)}`, optional: true })
  for (const { major, minor, weight } of io.weightDevice ?? []) {
    if (!weight) continue
    const isBfq = read('io.bfq.weight') !== undefined
    made.push(isBfq ? { file: 'io.bfq.weight', value: `${major}:${minor} ${weight}` } : { file: 'io.weight', value: `${major}:${minor} ${ioWeight(weight)}` })
  }
  const throttles = [
    ['rbps', io.throttleReadBpsDevice], ['wbps', io.throttleWriteBpsDevice], ['riops', io.throttleReadIOPSDevice], ['wiops', io.throttleWriteIOPSDevice],
  ] as const
  for (const [key, devices] of throttles) {
    for (const { major, minor, rate } of devices ?? []) made.push({ file: 'io.max', value: `${major}:${minor} ${key}=${rate === 0 ? 'max' : rate}` })
  }
  return made
}
