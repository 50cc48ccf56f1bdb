import type { Config } from '../config/schema.ts'
import type { Journal } from '../journal.ts'
import type { Log } from '../log.ts'
import type { DaemonGroup } from '../resources/daemon-group.ts'
import { maxMemoryMib, possibleVcpus } from '../resources/size.ts'
import type { Accelerator } from './accelerator.ts'

/** Where groups are made: the sandbox's cgroup of the host. */
export interface GroupMaker {
  group(name: string, tasks: number, journal: Journal): DaemonGroup
}

const mebibyte = 1024 * 1024
/** QEMU keeps translated code up to this (accel/tcg/region.c, DEFAULT_CODE_GEN_BUFFER_SIZE). */
const translationMib = 1024
/** Page tables, reverse maps and dirty bitmaps are made for all memory that a guest may ever have: a few bytes for each page of 4 KiB. */
const descriptorShare = 128

/** The limits of a sandbox's daemons, in cgroups made when the first is asked for. Without a cgroup, or with limits of 0, there are none. */
export class DaemonGroups {
  #vmm: DaemonGroup | undefined
  #virtiofsd: DaemonGroup | undefined
  #accelerator: Accelerator = { kind: 'kvm' }

  constructor(private readonly config: Pick<Config, 'hypervisor' | 'share'>, private readonly maker: GroupMaker | undefined, private readonly journal: Journal | undefined, private readonly log: Log) {}

  /** Of VMM and vsock daemon: directories of cgroupfs. Throws SysError. */
  vmm(): readonly string[] {
    this.#vmm ??= this.#make('vmm')
    return this.#vmm?.directories ?? []
  }

  /**
   * Of virtiofsd. Its own memory and the kernel's for a million open files stay below the default limit; pages of files on a
   * disk are dropped when it is reached, those of files in memory cannot be. Throws SysError.
   */
  virtiofsd(): readonly string[] {
    const { memoryMib } = this.config.share
    this.#virtiofsd ??= this.#make('virtiofsd')
    if (memoryMib > 0) this.#virtiofsd?.allowMemory(memoryMib * mebibyte)
    return this.#virtiofsd?.directories ?? []
  }

  /** Why a process of the group may have been killed: `: its limit of memory was reached (share.memory_mib)`; empty where that is not so. */
  whyKilled(name: 'vmm' | 'virtiofsd'): string {
    const [group, key] = name === 'vmm' ? [this.#vmm, 'hypervisor.vmm_memory_mib'] : [this.#virtiofsd, 'share.memory_mib']
    return group?.ranOutOfMemory() ? `: its limit of memory was reached (${key})` : ''
  }

  /** Before the VMM starts, and before its guest grows to `guestMib`: what both may use in all. Throws SysError. */
  allowMemory(guestMib: number, accelerator = this.#accelerator): void {
    this.#accelerator = accelerator
    const { hypervisor } = this.config
    if (hypervisor.vmmMemoryMib > 0) this.#vmm?.allowMemory(vmmMemoryMib(guestMib, hypervisor, accelerator) * mebibyte)
  }

  #make(name: string): DaemonGroup | undefined {
    if (!this.maker || !this.journal) return undefined
    const { hypervisor } = this.config
    const { vmmThreads, vcpus } = hypervisor
    const group = this.maker.group(name, vmmThreads === 0 ? 0 : vmmThreads + possibleVcpus(vcpus, hypervisor), this.journal)
    if (group.missing.length > 0) this.log.warn(`${name} has no limit of ${group.missing.join(' and ')}: this host's cgroups do not offer it`)
    return group
  }
}

/** The most that VMM and guest may use, MiB. Pure. */
export function vmmMemoryMib(guestMib: number, hypervisor: Config['hypervisor'], accelerator: Accelerator): number {
  const most = hypervisor.machine === 'q35' ? maxMemoryMib(hypervisor) : guestMib
  const described = Math.max(guestMib, Number.isFinite(most) ? most : guestMib)
  return guestMib + hypervisor.vmmMemoryMib + Math.ceil(described / descriptorShare) + (accelerator.kind === 'tcg' ? translationMib : 0)
}
