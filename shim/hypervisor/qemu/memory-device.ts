import { within } from '../../../native/ts/clock.ts'
import { Fault } from '../../../native/ts/fault.ts'
import type { Qmp } from './qmp.ts'

/** QEMU's id of the virtio-mem device. */
const deviceId = 'virtiomem'
/** Its unit: a transparent huge page of x86 (hw/virtio/virtio-mem.c). */
export const memoryBlockMib = 2

const commandLimitMs = 10_000
/** A guest plugs a gibibyte in well under a second on KVM; emulated, and on a loaded host, it takes many. */
const growLimitMs = 60_000
/** Memory that is in use is moved before it is given back, where it can be. */
const shrinkLimitMs = 10_000

/** Memory that a running VM is given, or gives back, beside what it booted with. */
export interface GrowingMemory {
  /** What the VM boots with, MiB. */
  bootMib: number
  /** What it may have at most, MiB. */
  maxMib: number
}

/** The device's part of the command line. Nothing of it is the guest's, and no memory of the host is used, until it is asked for. */
export function memoryDeviceArguments({ bootMib, maxMib }: GrowingMemory): string[] {
  const roomMib = roomOf({ bootMib, maxMib })
  if (roomMib === 0) return []
  return [
    '-object', `memory-backend-memfd,id=room,size=${roomMib}M,share=on`,
    '-device', `virtio-mem-pci,id=${deviceId},memdev=room,requested-size=0`,
  ]
}

/** What `-m` is told beside the memory at boot. */
export function maxMemoryArgument(memory: GrowingMemory): string {
  const roomMib = roomOf(memory)
  return roomMib === 0 ? '' : `,maxmem=${memory.bootMib + roomMib}M`
}

function roomOf({ bootMib, maxMib }: GrowingMemory): number {
  return Math.max(0, Math.floor((maxMib - bootMib) / memoryBlockMib) * memoryBlockMib)
}

/** The virtio-mem device of a running QEMU. */
export class MemoryDevice {
  #sizeMib = 0
  #changed: () => void = () => {}

  constructor(private readonly qmp: Qmp, private readonly memory: GrowingMemory) {}

  /** Takes QMP's MEMORY_DEVICE_SIZE_CHANGE: how much the guest has plugged. */
  sizeChanged(data: Record<string, unknown>): void {
    if (data.id !== deviceId || typeof data.size !== 'number') return
    this.#sizeMib = Math.floor(data.size / (1024 * 1024))
    this.#changed()
  }

  /**
   * Asks the guest to have `memoryMib` in all; gives what it has then. Rejects with a Fault when it cannot grow so far: a guest
   * that plugs only a part is told to give that back. One that shrinks less than it was asked to is no failure.
   */
  async resize(memoryMib: number): Promise<number> {
    const { bootMib, maxMib } = this.memory
    if (memoryMib > maxMib) throw new Fault(`the VM cannot grow to ${memoryMib} MiB: it has room for ${maxMib}`, { fix: 'raise hypervisor.max_memory_mib, or make the pod anew' })
    const wantedMib = Math.max(0, Math.ceil((memoryMib - bootMib) / memoryBlockMib) * memoryBlockMib)
    const formerMib = this.#sizeMib
    if (wantedMib === formerMib) return bootMib + formerMib
    const grows = wantedMib > formerMib
    await this.#request(wantedMib)
    const arrived = await within(this.#until(wantedMib), grows ? growLimitMs : shrinkLimitMs, 'the change of memory').then(() => true, () => false)
    this.#changed = () => {}
    if (!arrived && grows) {
      const gotMib = this.#sizeMib
      await this.#request(formerMib)
      throw new Fault(`the guest took ${gotMib - formerMib} of ${wantedMib - formerMib} MiB that it was given`, { fix: 'the guest console tells why' })
    }
    return bootMib + this.#sizeMib
  }

  async #request(mib: number): Promise<void> {
    const value = mib * 1024 * 1024
    await within(this.qmp.execute('qom-set', { path: `/machine/peripheral/${deviceId}`, property: 'requested-size', value }), commandLimitMs, 'QMP qom-set')
  }

  #until(mib: number): Promise<void> {
    return new Promise(resolve => {
      this.#changed = () => { if (this.#sizeMib === mib) resolve() }
      this.#changed()
    })
  }
}
