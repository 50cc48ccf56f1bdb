import type { ContainerStats } from '../cgroup.ts'
import { deviceNumbers, figure, limitOrNone, readIfAny, readNumber, readTable } from '../values.ts'
import type { DirectoryOf } from './settings.ts'

const nsPerUsec = 1000

/** Reads all figures, each from its controller's hierarchy; those of a missing one are 0. */
export function readStats(directoryOf: DirectoryOf): ContainerStats {
  const cpuacct = directoryOf('cpuacct') ?? ''
  const throttling = readTable(`${directoryOf('cpu') ?? ''}/cpu.stat`)
  const pids = directoryOf('pids') ?? ''
  const perMode = readIfAny(`${cpuacct}/cpuacct.usage_user`) === undefined ? undefined : {
    userUsec: readNumber(`${cpuacct}/cpuacct.usage_user`) / nsPerUsec, systemUsec: readNumber(`${cpuacct}/cpuacct.usage_sys`) / nsPerUsec,
  }
  return {
    cpu: {
      usageUsec: Math.floor(readNumber(`${cpuacct}/cpuacct.usage`) / nsPerUsec),
      userUsec: Math.floor(perMode?.userUsec ?? 0), systemUsec: Math.floor(perMode?.systemUsec ?? 0),
      periods: throttling.nr_periods ?? 0, throttledPeriods: throttling.nr_throttled ?? 0,
      throttledUsec: Math.floor((throttling.throttled_time ?? 0) / nsPerUsec),
    },
    memory: memoryStats(directoryOf('memory') ?? ''),
    pids: { current: readNumber(`${pids}/pids.current`), limit: readNumber(`${pids}/pids.max`) },
    io: readIo(directoryOf('blkio') ?? ''),
    hugetlb: ['2MB', '1GB'].flatMap(pageSize => readHugetlb(directoryOf('hugetlb') ?? '', pageSize)),
  }
}

function memoryStats(directory: string): ContainerStats['memory'] {
  const usageBytes = readNumber(`${directory}/memory.usage_in_bytes`)
  const oom = readTable(`${directory}/memory.oom_control`)
  return {
    usageBytes,
    maxUsageBytes: readNumber(`${directory}/memory.max_usage_in_bytes`),
    limitBytes: limitOrNone(readNumber(`${directory}/memory.limit_in_bytes`)),
    // memsw counts memory too.
    swapUsageBytes: Math.max(0, readNumber(`${directory}/memory.memsw.usage_in_bytes`, usageBytes) - usageBytes),
    swapLimitBytes: limitOrNone(readNumber(`${directory}/memory.memsw.limit_in_bytes`)),
    stat: readTable(`${directory}/memory.stat`),
    events: { oom_kill: oom.oom_kill ?? 0 },
  }
}

/** `8:0 Read 4096`, `8:0 Write 0`, …: a line for each device and direction. */
function readIo(directory: string): ContainerStats['io'] {
  const devices = new Map<string, ContainerStats['io'][number]>()
  const collect = (file: string, keys: Readonly<Record<string, 'readBytes' | 'writeBytes' | 'reads' | 'writes'>>) => {
    for (const line of (readIfAny(`${directory}/${file}`) ?? '').split('\n')) {
      const [device = '', direction = '', value = '0'] = line.split(' ')
      const key = keys[direction]
      if (key === undefined) continue
      const figures = devices.get(device) ?? { ...deviceNumbers(device), readBytes: 0, writeBytes: 0, reads: 0, writes: 0 }
      figures[key] = figure(value)
      devices.set(device, figures)
    }
  }
  collect('blkio.throttle.io_service_bytes', { Read: 'readBytes', Write: 'writeBytes' })
  collect('blkio.throttle.io_serviced', { Read: 'reads', Write: 'writes' })
  return [...devices.values()]
}

function readHugetlb(directory: string, pageSize: string): ContainerStats['hugetlb'] {
  if (readIfAny(`${directory}/hugetlb.${pageSize}.usage_in_bytes`) === undefined) return []
  return [{
    pageSize, usageBytes: readNumber(`${directory}/hugetlb.${pageSize}.usage_in_bytes`),
    maxBytes: readNumber(`${directory}/hugetlb.${pageSize}.max_usage_in_bytes`), failures: readNumber(`${directory}/hugetlb.${pageSize}.failcnt`),
  }]
}
