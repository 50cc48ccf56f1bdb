import type { Config } from '../../config/schema.ts'
import type { VmRoom } from '../../resources/size.ts'
import { controlPort, type VsockDevice } from '../../vsock/vsock.ts'
import type { Accelerator } from '../accelerator.ts'
import { shareTag } from '../hypervisor.ts'
import { maxMemoryArgument, memoryDeviceArguments } from './memory-device.ts'
import { type NicDevice, nicArguments } from './nic.ts'
import { rootPortArguments } from './root-ports.ts'

/** What a command line is composed from. Descriptors are numbers in the VMM's process. */
export interface CommandLineParts {
  sandboxId: string
  hypervisor: Config['hypervisor']
  /** What it may be resized to. */
  room: VmRoom
  guest: Pick<Config['guest'], 'kernelParams'>
  /** Kernel messages on the console. */
  verbose: boolean
  accelerator: Accelerator
  /** Connected sockets: QMP, console, virtiofsd. */
  qmpFd: number
  consoleFd: number
  fsFd: number
  vsock: VsockDevice
  /** Paths of files as the VMM sees them. */
  kernel: string
  initrd: string
  firmware: string
  nics: readonly NicDevice[]
}

/**
 * QEMU's arguments, without argv[0]. Pure. `-nodefaults -no-user-config`: the VM has exactly the devices named here, and
 * no file of the host decides about it.
 */
export function qemuArguments(parts: CommandLineParts): string[] {
  const { hypervisor, accelerator } = parts
  const memory = { bootMib: hypervisor.memoryMib, maxMib: parts.room.maxMemoryMib }
  return [
    '-name', `kata-ts-${parts.sandboxId}`,
    '-nodefaults', '-no-user-config', '-no-reboot',
    '-display', 'none',
    ...(hypervisor.sandbox ? ['-sandbox', 'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny'] : []),
    '-machine', `${machine(hypervisor.machine)},memory-backend=mem,dump-guest-core=off`,
    // Devices come and go by the root ports' own hot-plug, as with microvm: ACPI's, q35's default, would disable that.
    ...(hypervisor.machine === 'q35' ? ['-global', 'ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off'] : []),
    '-accel', accelerator.kind === 'kvm' ? 'kvm' : 'tcg,thread=multi',
    '-cpu', hypervisor.cpu || (accelerator.kind === 'kvm' ? 'host' : 'max'),
    // All that it may ever have: which of them are used is the guest's business (maxcpus, then the agent).
    '-smp', String(parts.room.possibleVcpus),
    '-m', `${memory.bootMib}M${maxMemoryArgument(memory)}`,
    // Shared: the vhost-user daemons read and write the guest's memory.
    '-object', `memory-backend-memfd,id=mem,size=${memory.bootMib}M,share=on`,
    '-bios', parts.firmware,
    '-kernel', parts.kernel,
    '-initrd', parts.initrd,
    '-append', kernelCommandLine(parts),
    '-chardev', `socket,id=qmp,fd=${parts.qmpFd}`, '-mon', 'chardev=qmp,mode=control',
    '-chardev', `socket,id=console,fd=${parts.consoleFd}`, '-serial', 'chardev:console',
    // Bounded: the device makes room for as much as a request names, and a guest may name gigabytes. Seeding a kernel takes some hundred bytes.
    '-device', `virtio-rng-pci,max-bytes=${randomBytesMax},period=${randomPeriodMs}`,
    // Memory that the guest frees goes back to the host.
    '-device', 'virtio-balloon-pci,free-page-reporting=on',
    ...memoryDeviceArguments(memory),
    ...vsockDevice(parts.vsock),
    '-chardev', `socket,id=fs,fd=${parts.fsFd}`, '-device', `vhost-user-fs-pci,chardev=fs,tag=${shareTag}`,
    ...parts.nics.flatMap(nicArguments),
    ...rootPortArguments(hypervisor.hotPlugSlots),
  ]
}

/** Random numbers that a guest has from the device, in a time. */
const [randomBytesMax, randomPeriodMs] = [64 * 1024, 100]

/** QEMU's emulated APIC timer runs at 1 GHz (hw/intc/apic_common.c). Our kernel takes it from its command line. */
const tcgLapicKhz = 1_000_000

/** The guest kernel's command line. Pure. */
export function kernelCommandLine({ guest, hypervisor, room, accelerator, verbose, vsock }: CommandLineParts): string {
  const words = ['console=ttyS0']
  if (!verbose) words.push('quiet')
  // A panic ends the VM at once (with -no-reboot), and its message is in the console's tail.
  words.push('panic=-1')
  // Emulated timers count as QEMU says they do: no need to measure them against each other, 100 ms and more under TCG.
  if (accelerator.kind === 'tcg') words.push('tsc=reliable', `tsc_early_khz=${accelerator.tscKhz}`, `lapic_timer_khz=${tcgLapicKhz}`)
  // q35 has a timer chip whose interrupts the kernel tries out by counting against the clock: an emulated guest on a loaded host loses that race, and panics. kvm guests never try.
  if (accelerator.kind === 'tcg' && hypervisor.machine === 'q35') words.push('no_timer_check')
  // A one-CPU guest otherwise rewrites 8,000 lock prefixes at boot (80 ms under TCG).
  words.push('noreplace-smp')
  if (room.possibleVcpus > hypervisor.vcpus) words.push(`maxcpus=${hypervisor.vcpus}`)
  // Added memory is for what can be moved, so that it can go again, as far as the rest of the kernel's memory bears it.
  if (room.maxMemoryMib > hypervisor.memoryMib) words.push('memory_hotplug.online_policy=auto-movable')
  // Without it microvm's root ports take hot-plugged devices and never show them to the guest.
  words.push('pcie_ports=native')
  if (vsock.controlPort !== controlPort) words.push(`kata_ts.control_port=${vsock.controlPort}`)
  if (guest.kernelParams) words.push(guest.kernelParams)
  return words.join(' ')
}

/** `auto` is the caller's to decide (resources/sandbox-config.ts); undecided it is the one that boots faster. */
function machine(type: Config['hypervisor']['machine']): string {
  return type === 'q35' ? 'q35' : 'microvm,pcie=on'
}

function vsockDevice(vsock: VsockDevice): string[] {
  if (vsock.kind === 'vhost') return ['-device', `vhost-vsock-pci,vhostfd=${vsock.fd},guest-cid=${vsock.guestCid}`]
  return ['-chardev', `socket,id=vsock,fd=${vsock.fd}`, '-device', 'vhost-user-vsock-pci,chardev=vsock']
}
