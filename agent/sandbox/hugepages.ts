import { Fault } from '../../native/ts/fault.ts'
import { exists, readText, writeKernelFile } from '../../native/ts/file.ts'
import { readMemory } from '../pid1/cgroup.ts'
import type { LinuxHugepageLimit, LinuxResources } from '../../protocol/oci/resources.ts'

/** What a reservation leaves to the guest's other memory. The kernel takes all that it can get, and panics when nothing is left. */
const keptFreeKib = 32 * 1024

const unitKib: Readonly<Record<string, number>> = { KB: 1, MB: 1024, GB: 1024 * 1024 }

/**
 * Sets huge pages aside for all containers together: a limit is a promise that the pages are there (Kubernetes counts
 * them by node for that reason). True when pages were added. Throws Fault when the guest has no such pages, or not enough memory in one piece for them.
 */
export function reserveHugepages(containers: readonly LinuxResources[]): boolean {
  const wanted = new Map<string, number>()
  for (const { hugepageLimits = [] } of containers) {
    for (const limit of hugepageLimits) wanted.set(limit.pageSize, (wanted.get(limit.pageSize) ?? 0) + pagesOf(limit))
  }
  let added = false
  for (const [pageSize, pages] of wanted) added = pages > 0 && growPool(pageSize, pages) || added
  return added
}

function growPool(pageSize: string, pages: number): boolean {
  const file = `/sys/kernel/mm/hugepages/hugepages-${sizeKib(pageSize)}kB/nr_hugepages`
  if (!exists(file)) throw new Fault(`the guest's CPU has no huge pages of ${pageSize}`, { fix: 'ask for pages of 2MB' })
  const present = Number(readText(file))
  if (present >= pages) return false
  const { MemAvailable = 0 } = readMemory()
  const room = present + Math.max(0, Math.floor((MemAvailable - keptFreeKib) / sizeKib(pageSize)))
  if (pages <= room) writeKernelFile(file, String(pages))
  const got = pages <= room ? Number(readText(file)) : room
  if (got >= pages) return true
  writeKernelFile(file, String(present))
  throw new Fault(`${pages} huge pages of ${pageSize} were asked for, and the guest's memory has room for ${got}`, { fix: 'give the pod a memory limit as well, or raise hypervisor.memory_mib' })
}

function pagesOf({ pageSize, limit }: LinuxHugepageLimit): number {
  return Math.ceil(limit / (sizeKib(pageSize) * 1024))
}

/** Of a name such as 2MB, which the spec's check has let through (protocol/oci/resources.ts). */
function sizeKib(pageSize: string): number {
  const [, number = '', unit = ''] = /^(\d+)([KMG]B)$/.exec(pageSize) ?? []
  return Number(number) * (unitKib[unit] ?? 0) || 1
}
