import { packAny } from '../../protocol/any.ts'
import type { MemoryStats, StatsContainerResponse } from '../../protocol/gen/agent.ts'
import { CPUStat, MemoryStat, Metrics } from '../../protocol/gen/cgroups-v2.ts'
import type { StatsRequest, StatsResponse } from '../../protocol/gen/task.ts'
import { message } from '../../protocol/message.ts'
import type { Sandbox } from '../sandbox/sandbox.ts'
import type { TaskContext } from './context.ts'

/** What containerd writes for `max` in a cgroup file. */
const noLimit = 0xffff_ffff_ffff_ffffn

/** Stats: the container's cgroup v2 figures in the guest, as containerd, `ctr task metrics` and Docker read them; for a pod's pause container those of all its containers together. */
export async function stats({ sandbox }: TaskContext, request: StatsRequest): Promise<StatsResponse> {
  const container = sandbox.container(request.id)
  if (container.isPause) return { stats: packAny('io.containerd.cgroups.v2.Metrics', Metrics, await sandboxMetrics(sandbox)) }
  const agent = await sandbox.agent()
  const answer = await agent.statsContainer({ containerId: container.id })
  return { stats: packAny('io.containerd.cgroups.v2.Metrics', Metrics, metrics(answer)) }
}

/** Of the sandbox as a whole: of all its containers together. */
export async function sandboxMetrics(sandbox: Sandbox): Promise<Metrics> {
  // Without a VM a pod has no cgroup of its own.
  if (!sandbox.ports.hypervisor.ownKernel) return message(Metrics, {})
  const agent = await sandbox.agent()
  return metrics(await agent.statsSandbox())
}

/** The agent's figures in containerd's message. Exported for its test. */
export function metrics({ cpu, memory, pids, io, hugetlb }: StatsContainerResponse): Metrics {
  const events = memory?.events ?? {}
  return message(Metrics, {
    ...(cpu ? { cpu: message(CPUStat, cpu) } : {}),
    ...(pids ? { pids: { current: pids.current, limit: pids.limit } } : {}),
    ...(memory ? { memory: memoryStat(memory) } : {}),
    memoryEvents: {
      low: events.low ?? 0n, high: events.high ?? 0n, max: events.max ?? 0n,
      oom: events.oom ?? 0n, oomKill: events.oom_kill ?? 0n, oomGroupKill: events.oom_group_kill ?? 0n,
    },
    io: { usage: unique(io, entry => `${entry.major}:${entry.minor}`).map(entry => ({ ...entry, major: BigInt(entry.major), minor: BigInt(entry.minor) })), psi: undefined },
    hugetlb: unique(hugetlb.filter(entry => pageSize.test(entry.pagesize)), entry => entry.pagesize).map(entry => ({ pagesize: entry.pagesize, current: entry.usageBytes, max: entry.maxBytes, failcnt: entry.failcnt })),
  })
}

/** A page size of Linux, as cgroup files name it: `2MB`. containerd makes a metric's label of it. */
const pageSize = /^[1-9][0-9]{0,4}[KMG]B$/

/** One metric told twice makes all of containerd's fail to be collected: of a guest that does so, the first counts. */
function unique<T>(entries: readonly T[], key: (entry: T) => string): T[] {
  return [...new Map([...entries].reverse().map(entry => [key(entry), entry])).values()].reverse()
}

function memoryStat(memory: MemoryStats): MemoryStat {
  const stat = message(MemoryStat, {
    usage: memory.usageBytes,
    usageLimit: memory.limitBytes || noLimit,
    swapUsage: memory.swapUsageBytes,
    swapLimit: memory.swapLimitBytes || noLimit,
    maxUsage: memory.maxUsageBytes,
  })
  const { usage, usageLimit, swapUsage, swapLimit, maxUsage, swapMaxUsage, psi, ...counters } = stat
  for (const name of Object.keys(counters) as (keyof typeof counters)[]) { // the message's own keys, all of them bigint
    stat[name] = memory.stat[snake(name)] ?? 0n
  }
  return stat
}

/** memory.stat's name of a field: kernelStack is kernel_stack. */
function snake(name: string): string {
  return name.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`)
}
