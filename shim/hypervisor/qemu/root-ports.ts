import { Fault } from '../../../native/ts/fault.ts'

/**
 * PCIe root ports: a device can be plugged only into a port that was there at boot. Each costs the guest's boot time
 * (README, "Numbers"), so there is a fixed number, eight to a slot of the root bus.
 */
const firstSlot = 0x10
const functionsPerSlot = 8

export interface RootPort {
  /** QEMU's name of its bus. */
  bus: string
  /** Slot and function on the root bus, as the guest sees them: `10.3`. */
  pciPath: string
}

function port(index: number): RootPort {
  const slot = firstSlot + Math.floor(index / functionsPerSlot)
  return { bus: `port${index}`, pciPath: `${slot.toString(16)}.${index % functionsPerSlot}` }
}

/** QEMU's arguments for `count` ports. */
export function rootPortArguments(count: number): string[] {
  return Array.from({ length: count }, (_, index) => index).flatMap(index => {
    const { bus, pciPath } = port(index)
    // The chassis number is free; a port's slot number (in /sys/bus/pci/slots) must be its own.
    return ['-device', `pcie-root-port,id=${bus},bus=pcie.0,addr=${pciPath},multifunction=on,chassis=${index + 1},slot=${index + 1}`]
  })
}

/** Which ports are free. */
export class RootPorts {
  readonly #free: RootPort[]

  constructor(readonly count: number) {
    this.#free = Array.from({ length: count }, (_, index) => port(index))
  }

  /** Throws Fault when none is free. */
  take(): RootPort {
    const taken = this.#free.shift()
    if (taken) return taken
    throw new Fault(`all ${this.count} hot-plug slots of the VM are taken`, { fix: 'raise hypervisor.hot_plug_slots, or give the pod fewer devices' })
  }

  give(back: RootPort): void {
    this.#free.push(back)
  }
}
