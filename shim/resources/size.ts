import type { Config } from '../config/schema.ts'
import { hostCpus, hostMemoryMib } from './host.ts'
import type { PodLimits } from './limits.ts'

/** What a VM is made with, or resized to. */
export interface VmSize {
  memoryMib: number
  vcpus: number
}

export interface SizedVm extends VmSize {
  /** Where less was given than the limits allow: one line each. */
  notes: string[]
}

const mebibyte = 1024 * 1024

/** Linux keeps 64 bytes about each page of 4 KiB (struct page): a guest that is to use n bytes needs n / 64 for that. */
const pageDescriptorShare = 64

/** A transparent huge page: memory in other units would leave one to be split. */
const memoryStepMib = 2

/**
 * The size of a sandbox's VM. A limit that was asked for decides, with room for the guest's own kernel and agent;
 * without one the configured default does. Bounded by the operator's maximum and by the host: a limit is what a
 * pod may use at most, so more than there is means all there is.
 */
export function sizeOf(limits: PodLimits, hypervisor: Config['hypervisor']): SizedVm {
  const notes: string[] = []
  return { memoryMib: memoryOf(limits, hypervisor, notes), vcpus: vcpusOf(limits, hypervisor, notes), notes }
}

/** The most memory that a VM of this host may have, MiB. */
export function maxMemoryMib(hypervisor: Config['hypervisor']): number {
  return Math.min(hypervisor.maxMemoryMib || Infinity, hostMemoryMib())
}

/** The most vCPUs that a VM of this host may have. */
export function maxVcpus(hypervisor: Config['hypervisor']): number {
  return Math.min(hypervisor.maxVcpus || Infinity, hostCpus(), mostVcpus)
}

/** What our guest kernel can have (guest-image/kernel/platform.config, CONFIG_NR_CPUS). */
const mostVcpus = 64

/** Each CPU that may come costs a guest about 200 KiB for its share of per-CPU data, whether it comes or not. */
const growthFactor = 4

/** How many vCPUs a VM that begins with `vcpus` may be resized to. */
export function possibleVcpus(vcpus: number, hypervisor: Config['hypervisor']): number {
  return Math.max(vcpus, Math.min(maxVcpus(hypervisor), growthFactor * vcpus))
}

function memoryOf({ memoryBytes, hugepageBytes }: PodLimits, hypervisor: Config['hypervisor'], notes: string[]): number {
  if (memoryBytes + hugepageBytes === 0) return hypervisor.memoryMib
  // Huge pages are set aside: what is no limit for the rest is the default, as it is without them.
  const wanted = memoryBytes > 0 ? memoryBytes + hugepageBytes : hugepageBytes + hypervisor.memoryMib * mebibyte
  const mib = wanted * (1 + 1 / pageDescriptorShare) / mebibyte + hypervisor.memoryOverheadMib
  const rounded = Math.ceil(mib / memoryStepMib) * memoryStepMib
  const most = maxMemoryMib(hypervisor)
  if (rounded <= most) return rounded
  notes.push(`the memory limit asks for a VM of ${rounded} MiB; it gets ${most}, which is all ${hypervisor.maxMemoryMib ? 'that hypervisor.max_memory_mib allows' : 'that this host has'}`)
  return most
}

function vcpusOf({ cpus }: PodLimits, hypervisor: Config['hypervisor'], notes: string[]): number {
  if (cpus === 0) return hypervisor.vcpus
  const wanted = Math.ceil(cpus)
  const most = maxVcpus(hypervisor)
  if (wanted <= most) return wanted
  notes.push(`the CPU limit asks for ${wanted} vCPUs; it gets ${most}, which is all ${hypervisor.maxVcpus === most ? 'that hypervisor.max_vcpus allows' : 'that this host has'}`)
  return most
}

/** What a VM may be resized to. */
export interface VmRoom {
  maxMemoryMib: number
  possibleVcpus: number
}

/** Of a VM that is made as `hypervisor` says. microvm cannot be given memory: it takes the device and shows none of it to the guest. */
export function roomOf(hypervisor: Config['hypervisor']): VmRoom {
  const most = hypervisor.machine === 'q35' ? maxMemoryMib(hypervisor) : 0
  return {
    maxMemoryMib: Number.isFinite(most) ? Math.max(most, hypervisor.memoryMib) : hypervisor.memoryMib,
    possibleVcpus: possibleVcpus(hypervisor.vcpus, hypervisor),
  }
}
