/** The kernel's largest NR_CPUS (arch/x86/Kconfig): a list beyond it names no CPU. */
const maxCpus = 8192

/** CPU numbers of a list such as `0-3,7` (cpuset(7), "List format"), which has passed its check; undefined when none is named. */
export function cpusOf(list: string | undefined): number[] | undefined {
  if (list === undefined || list.trim() === '') return undefined
  const cpus = new Set<number>()
  for (const range of list.split(',')) {
    const [first = 0, last = first] = range.split('-').map(Number)
    for (let cpu = first; cpu <= last && cpu < maxCpus; cpu++) cpus.add(cpu)
  }
  return [...cpus].sort((a, b) => a - b)
}

/** Whether each range of the list goes up, and names CPUs that a kernel could have. */
export function isCpuList(list: string): boolean {
  return list.trim() === '' || list.split(',').every(range => {
    const [first = 0, last = first] = range.split('-').map(Number)
    return first <= last && last < maxCpus
  })
}
