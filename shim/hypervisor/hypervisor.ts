import type { Exit } from '../../native/ts/child.ts'
import type { Fd } from '../../native/ts/fd.ts'
import type { Journal } from '../journal.ts'
import type { Log } from '../log.ts'
import type { VmSize } from '../resources/size.ts'
import type { Timeline } from '../timeline.ts'
import type { GroupMaker } from './daemon-groups.ts'

/** How a VMM process ended. */
export interface VmmExit extends Exit {
  /** In words: `qemu-system-x86_64 was killed by SIGKILL`. */
  text: string
}

/**
 * A virtual machine for one sandbox, as the sandbox sees it: DESIGN.md's narrow port.
 *
 *   new ─launch─▶ launching ─▶ running ─stop, or the VMM dies─▶ stopped
 *
 * A driver owns every process, socket and descriptor it makes. `stop` gives all of them back from any state,
 * also while `launch` or `acceptAgent` are pending (those then reject).
 */
export interface Hypervisor {
  /** The VMM's pid, 0 before there is one. Kept after its death. */
  readonly pid: number
  /** Whether containers have a kernel of their own: what they hold in it goes with the VM. False for `none`. */
  readonly ownKernel: boolean
  /**
   * Starts the VMM with `nics` and its daemons; resolves when the VMM's control channel answers. Rejects with a diagnosis;
   * everything is released by then. The taps are lent until either.
   */
  launch(nics?: readonly Nic[]): Promise<void>
  /**
   * The control connection that the agent opens when it is ready; the caller owns it (non-blocking). At most one is
   * ever accepted. Rejects with a diagnosis when the VM dies or `timeoutMs` passes.
   */
  acceptAgent(timeoutMs: number): Promise<Fd>
  /** Opens a connection to a port of the guest; the caller owns it (non-blocking). Rejects with a Fault or SysError. */
  connect(port: number): Promise<Fd>
  /**
   * Changes what the guest can have; the agent then makes use of it (ResizeSandbox). Gives the size that it has: a guest that
   * does not give all memory back keeps some. Rejects with a Fault when it cannot grow so far; it is as before then.
   */
  resize(size: VmSize): Promise<VmSize>
  /**
   * Plugs a device into the running VM. Rejects with a Fault, and nothing of the device is left then: no free slot, or
   * a VMM that refused. What is attached goes with the VM, detached or not.
   */
  attach(device: Device): Promise<Attachment>
  pause(): Promise<void>
  resume(): Promise<void>
  /** Ends VMM and daemons and reaps them, removes their sockets. Idempotent; resolves when nothing is left. */
  stop(): Promise<void>
  /** Resolves when the VMM process has ended, for whatever reason; never when it was not launched. */
  wait(): Promise<VmmExit>
  /** Phase reached, how the VMM and each daemon ended, the tails of their stderr and of the guest's console. Several lines, bounded. */
  diagnosis(): string
}

/** A network device of the VM. */
export interface Nic {
  kind: 'nic'
  /** Its name among the VM's devices: `net0`. */
  id: string
  tap: Fd
  mac: string
  /** Bytes of a packet; 0: the device's default. */
  mtu: number
}

/** What can be plugged into a running VM. */
export type Device = Disk | Nic

/** A disk: a block device or a regular file of the host. */
export interface Disk {
  kind: 'disk'
  /** Lent until `attach` has settled. Opened for what the guest may do: reading only, or reading and writing. */
  file: Fd
  /** `block`: `file` is a block device. */
  type: 'block' | 'file'
  /** Enforced by the device, whatever the guest tries. */
  readonly: boolean
}

/** A device that was plugged in. */
export interface Attachment {
  /** Where the guest finds it: slot and function of each bridge on its way from the root bus, and its own: `10.3/00.0`. */
  readonly pciPath: string
  /**
   * Takes it away. The guest should have let go of it (see agent.proto, Disk); one that has not is asked by the
   * hot-plug controller, which takes seconds. Rejects with a Fault when the guest keeps it. Idempotent.
   */
  detach(): Promise<void>
}

/** What a driver is told about its sandbox. */
export interface HypervisorSandbox {
  id: string
  /** Private directory (0700) for sockets. The driver removes what it makes there, not the directory. */
  stateDir: string
  /** Directory that the guest sees over virtio-fs under the tag `kata-ts`. */
  shareDir: string
  /** The sandbox's cgroup on the host, in which its daemons get limits; undefined: they have none. */
  cgroup?: GroupMaker | undefined
  /** Lets `delete` wait for the processes of a shim that died. */
  journal?: Journal
  log: Log
  timeline: Timeline
}

/** virtio-fs tag of the share. */
export const shareTag = 'kata-ts'
