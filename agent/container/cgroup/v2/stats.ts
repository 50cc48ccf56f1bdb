import type { ContainerStats } from '../cgroup.ts'
import { deviceNumbers, figure, readIfAny, readNumber, readTable } from '../values.ts'

/** Reads all figures of a cgroup (cgroup-v2.rst, "Core Interface Files" and the controllers'). */
export function readStats(directory: string): ContainerStats {
  const cpu = readTable(`${directory}/cpu.stat`)
  return {
    cpu: {
      usageUsec: cpu.usage_usec ?? 0, userUsec: cpu.user_usec ?? 0, systemUsec: cpu.system_usec ?? 0,
      periods: cpu.nr_periods ?? 0, throttledPeriods: cpu.nr_throttled ?? 0, throttledUsec: cpu.throttled_usec ?? 0,
    },
    memory: {
      usageBytes: readNumber(`${directory}/memory.current`),
      maxUsageBytes: readNumber(`${directory}/memory.peak`),
      limitBytes: readNumber(`${directory}/memory.max`),
      swapUsageBytes: readNumber(`${directory}/memory.swap.current`),
      swapLimitBytes: readNumber(`${directory}/memory.swap.max`),
      stat: readTable(`${directory}/memory.stat`),
      events: readTable(`${directory}/memory.events`),
    },
    pids: { current: readNumber(`${directory}/pids.current`), limit: readNumber(`${directory}/pids.max`) },
    io: readIo(directory),
    hugetlb: ['2MB', '1GB'].flatMap(pageSize => readHugetlb(directory, pageSize)),
  }
}

/** io.stat: `8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0`, a line a device. */
function readIo(directory: string): ContainerStats['io'] {
  return (readIfAny(`${directory}/io.stat`) ?? '').split('\n').filter(Boolean).map(line => {
    const [device = '0:0', ...pairs] = line.split(' ')
    const values = new Map(pairs.map(pair => pair.split('=') as [string, string])) // each pair is key=value
    const value = (key: string) => figure(values.get(key))
    return { ...deviceNumbers(device), readBytes: value('rbytes'), writeBytes: value('wbytes'), reads: value('rios'), writes: value('wios') }
  })
}

function readHugetlb(directory: string, pageSize: string): ContainerStats['hugetlb'] {
  if (readIfAny(`${directory}/hugetlb.${pageSize}.current`) === undefined) return []
  return [{
    pageSize, usageBytes: readNumber(`${directory}/hugetlb.${pageSize}.current`), maxBytes: readNumber(`${directory}/hugetlb.${pageSize}.max`),
    failures: readTable(`${directory}/hugetlb.${pageSize}.events`).max ?? 0,
  }]
}
