import { readTextIfPresent } from '../../native/ts/file.ts'

/** Memory of this host, MiB; Infinity where it cannot be told, so that it bounds nothing. */
export function hostMemoryMib(): number {
  const kib = Number(/^MemTotal:\s+(\d+) kB$/m.exec(readTextIfPresent('/proc/meminfo', 64 * 1024) ?? '')?.[1])
  return kib > 0 ? Math.floor(kib / 1024) : Infinity
}

/** CPUs of this host that are online; Infinity where it cannot be told. */
export function hostCpus(): number {
  return countCpus(readTextIfPresent('/sys/devices/system/cpu/online', 64 * 1024) ?? '') || Infinity
}

/** How many a list such as `0-3,7` names (Documentation/admin-guide/cputopology.rst). */
export function countCpus(list: string): number {
  let count = 0
  for (const part of list.trim().split(',')) {
    const [, first, last] = /^\s*(\d+)(?:-(\d+))?\s*$/.exec(part) ?? []
    if (first !== undefined) count += Number(last ?? first) - Number(first) + 1
  }
  return count
}
