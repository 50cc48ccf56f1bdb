import type { ContainerRequest, StatsContainerResponse } from '../../protocol/gen/agent.ts'
import type { ContainerStats } from '../container/cgroup/cgroup.ts'
import { readStats } from '../container/cgroup/v2/stats.ts'
import { wrongState } from '../refusal.ts'
import type { Sandbox } from '../sandbox/sandbox.ts'

/** StatsContainer: the cgroup's figures, as read now. */
export function statsContainer(sandbox: Sandbox, { containerId }: ContainerRequest): StatsContainerResponse {
  return statsResponse(sandbox.container(containerId).container.stats())
}

/** StatsSandbox: the figures of all containers together. */
export function statsSandbox(sandbox: Sandbox): StatsContainerResponse {
  const { pod } = sandbox.parts
  if (!pod) throw wrongState('a sandbox without a VM has no cgroup of its own')
  return statsResponse(readStats(pod.directory))
}

/** The figures on the wire. */
export function statsResponse({ cpu, memory, pids, io, hugetlb }: ContainerStats): StatsContainerResponse {
  return {
    cpu: {
      usageUsec: count(cpu.usageUsec), userUsec: count(cpu.userUsec), systemUsec: count(cpu.systemUsec),
      nrPeriods: count(cpu.periods), nrThrottled: count(cpu.throttledPeriods), throttledUsec: count(cpu.throttledUsec),
    },
    memory: {
      usageBytes: count(memory.usageBytes), limitBytes: count(memory.limitBytes), maxUsageBytes: count(memory.maxUsageBytes),
      swapUsageBytes: count(memory.swapUsageBytes), swapLimitBytes: count(memory.swapLimitBytes),
      stat: counts(memory.stat), events: counts(memory.events),
    },
    pids: { current: count(pids.current), limit: count(pids.limit) },
    io: io.map(device => ({
      major: device.major, minor: device.minor, rbytes: count(device.readBytes), wbytes: count(device.writeBytes),
      rios: count(device.reads), wios: count(device.writes),
    })),
    hugetlb: hugetlb.map(pages => ({
      pagesize: pages.pageSize, usageBytes: count(pages.usageBytes), maxBytes: count(pages.maxBytes), failcnt: count(pages.failures),
    })),
  }
}

/** Figures of the kernel are whole and not negative; whatever else a file held is 0 on the wire. */
function count(value: number): bigint {
  return Number.isFinite(value) && value > 0 ? BigInt(Math.trunc(value)) : 0n
}

function counts(values: Readonly<Record<string, number>>): Record<string, bigint> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, count(value)]))
}
