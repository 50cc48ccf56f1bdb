import { cpuWeight, ioWeight } from '../../../agent/container/cgroup/v2/settings.ts'
import { cpusOf } from '../../../protocol/oci/cpu-list.ts'
import type { LinuxResources } from '../../../protocol/oci/resources.ts'
import type { Property } from './units.ts'

/** systemd's word for no limit (CGROUP_LIMIT_MAX). */
const infinity = 0xffff_ffff_ffff_ffffn
/** systemd keeps whole percents: less than one would be none. */
const quotaStepUsec = 10_000
const usecPerSec = 1_000_000
/** cpu.cfs_period_us and cpu.max where none is given. */
const defaultPeriodUsec = 100_000

const number = (name: string, value: number): Property => ({ name, signature: 't', value: value < 0 ? infinity : BigInt(value) })

/**
 * The limits that systemd knows too, as properties of the unit (systemd.resource-control(5)): it writes them again whenever it
 * sets up its cgroups, and would otherwise take away what we wrote. What it does not know it leaves alone.
 */
export function resourceProperties({ memory, cpu, pids, blockIO }: LinuxResources, version: 'v1' | 'v2'): Property[] {
  const unified = version === 'v2'
  const made: Property[] = []
  if (memory?.limit) made.push(number(unified ? 'MemoryMax' : 'MemoryLimit', memory.limit))
  if (unified && memory?.reservation) made.push(number('MemoryLow', memory.reservation))
  if (unified && memory?.swap) made.push(number('MemorySwapMax', memory.swap < 0 ? -1 : memory.swap - Math.max(memory.limit ?? 0, 0)))
  if (cpu?.shares) made.push(unified ? number('CPUWeight', cpuWeight(cpu.shares)) : number('CPUShares', cpu.shares))
  if (cpu?.quota || cpu?.period) made.push({ name: 'CPUQuotaPerSecUSec', signature: 't', value: quotaPerSec(cpu.quota ?? 0, cpu.period) })
  if (unified) for (const [name, list] of [['AllowedCPUs', cpu?.cpus], ['AllowedMemoryNodes', cpu?.mems]] as const) {
    const members = cpusOf(list)
    if (members) made.push({ name, signature: 'ay', value: bitmap(members) })
  }
  if (pids?.limit) made.push(number('TasksMax', pids.limit))
  if (blockIO?.weight) made.push(unified ? number('IOWeight', ioWeight(blockIO.weight)) : number('BlockIOWeight', blockIO.weight))
  return made
}

function quotaPerSec(quota: number, period: number | undefined): bigint {
  if (quota <= 0) return infinity
  return BigInt(Math.ceil((quota * usecPerSec) / (period || defaultPeriodUsec) / quotaStepUsec) * quotaStepUsec)
}

/** Bit n of byte n / 8. */
function bitmap(members: readonly number[]): number[] {
  const bytes = Array.from({ length: Math.floor((members.at(-1) ?? 0) / 8) + 1 }, () => 0)
  for (const member of members) bytes[member >> 3] = (bytes[member >> 3] ?? 0) | (1 << (member & 7))
  return bytes
}
