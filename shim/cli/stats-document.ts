import type { ContainerStats } from '../../agent/container/cgroup/cgroup.ts'
import { readTextIfPresent } from '../../native/ts/file.ts'

/** What cgroup v1 counts as no limit: the largest multiple of a page below 2^63. */
const noLimit = 9223372036854771712

const nsPerUsec = 1000

/**
 * A container's figures in the shape of runc's `events` (types/events.go): what containerd's, podman's and others' readers of it
 * know. `directories`: the container's cgroups, for what only some hierarchies have.
 */
export function statsDocument(stats: ContainerStats, directories: readonly string[]): Record<string, unknown> {
  const { cpu, memory, pids, io, hugetlb } = stats
  const limit = (bytes: number) => (bytes === 0 ? noLimit : bytes)
  const failures = (file: string) => Number(readIn(directories, file) ?? 0)
  const { raw, kernel } = { raw: memory.stat, kernel: Number(readIn(directories, 'memory.kmem.usage_in_bytes') ?? memory.stat.kernel ?? 0) }
  const swapLimit = memory.swapLimitBytes === 0 ? noLimit : memory.swapLimitBytes
  return {
    cpu: {
      usage: {
        total: cpu.usageUsec * nsPerUsec, ...perCpu(readIn(directories, 'cpuacct.usage_percpu')),
        kernel: cpu.systemUsec * nsPerUsec, user: cpu.userUsec * nsPerUsec,
      },
      throttling: present({ periods: cpu.periods, throttledPeriods: cpu.throttledPeriods, throttledTime: cpu.throttledUsec * nsPerUsec }),
    },
    cpuset: { cpus: ranges(readIn(directories, 'cpuset.cpus')), mems: ranges(readIn(directories, 'cpuset.mems')) },
    memory: {
      ...present({ cache: raw.cache ?? raw.file ?? 0 }),
      usage: { limit: limit(memory.limitBytes), usage: memory.usageBytes, max: memory.maxUsageBytes, failcnt: failures('memory.failcnt') },
      swap: { limit: swapLimit, usage: memory.swapUsageBytes, failcnt: failures('memory.memsw.failcnt') },
      kernel: { limit: noLimit, usage: kernel, failcnt: failures('memory.kmem.failcnt') },
      kernelTCP: { limit: noLimit, failcnt: failures('memory.kmem.tcp.failcnt') },
      raw,
    },
    pids: present({ current: pids.current, limit: pids.limit }),
    blkio: io.length === 0 ? {} : {
      ioServiceBytesRecursive: io.flatMap(each => [entry(each, 'Read', each.readBytes), entry(each, 'Write', each.writeBytes)]),
      ioServicedRecursive: io.flatMap(each => [entry(each, 'Read', each.reads), entry(each, 'Write', each.writes)]),
    },
    hugetlb: Object.fromEntries(hugetlb.map(({ pageSize, usageBytes, maxBytes, failures: failcnt }) => [pageSize, present({ usage: usageBytes, max: maxBytes, failcnt })])),
    intel_rdt: {},
    network_interfaces: null,
  }
}

function entry({ major, minor }: ContainerStats['io'][number], op: string, value: number): Record<string, unknown> {
  return { ...present({ major, minor }), op, ...present({ value }) }
}

/** Without what is 0, as runc's document leaves it out. */
function present(values: Record<string, number>): Record<string, number> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== 0))
}

function readIn(directories: readonly string[], file: string): string | undefined {
  for (const directory of directories) {
    const text = readTextIfPresent(`${directory}/${file}`)
    if (text !== undefined) return text.trim()
  }
  return undefined
}

function perCpu(text: string | undefined): { percpu?: number[] } {
  return text ? { percpu: text.split(/\s+/).map(Number) } : {}
}

/** `0-2,4` → [0, 1, 2, 4] (cpuset(7)). */
export function ranges(text: string | undefined): number[] {
  return (text ?? '').split(',').filter(Boolean).flatMap(range => {
    const [first = 0, last = first] = range.split('-').map(Number)
    return Array.from({ length: last - first + 1 }, (_, index) => first + index)
  })
}
