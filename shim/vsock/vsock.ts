import type { Fd } from '../../native/ts/fd.ts'
import type { Journal } from '../journal.ts'
import type { Daemon } from '../hypervisor/daemon.ts'
import type { Privileges } from '../hypervisor/privileges.ts'

/** vsock port on which the shim waits for the agent, where the port is the shim's to choose. */
export const controlPort = 1024

/**
 * The way between host and guest: kernel vhost-vsock, or a vhost-user daemon.
 *
 *   new ─listen─▶ listening ─acceptAgent─▶ connected     close from any state
 *                     └──── connect(port), as often as wanted
 */
export interface GuestVsock {
  /** Prepares everything that must be there before the VMM starts: listener, CID, daemon. Rejects with Fault or SysError. */
  listen(): Promise<VsockDevice>
  /** The first connection that the guest makes to the control port; closes the listener. The caller owns it. */
  acceptAgent(): Promise<Fd>
  /** Opens a connection to a port of the guest; the caller owns it. */
  connect(port: number): Promise<Fd>
  /** The daemon, when there is one. */
  readonly daemon: Daemon | undefined
  /** Ends daemon and sockets. Idempotent. Call it when the VMM is dead. */
  close(): Promise<void>
}

/** What the VMM needs for its vsock device. */
export type VsockDevice =
  /** An open /dev/vhost-vsock, lent until the VMM runs, with its CID set. */
  | { kind: 'vhost'; fd: number; guestCid: number; controlPort: number }
  /** A connection to the daemon, lent until the VMM runs. */
  | { kind: 'vhost-user'; fd: number; controlPort: number }

export interface VsockOptions {
  /** Private directory, in which the sockets get one of their own. */
  stateDir: string
  /** Whom a daemon runs as, asked for when it starts (after the shim's fork); undefined: as the shim does. */
  privileges?: (() => Privileges) | undefined
  /** Whether a daemon has namespaces and a root directory of its own. */
  confined?: boolean
  /** Directories of cgroupfs that a daemon belongs to. */
  cgroups?: () => readonly string[]
  journal?: Journal | undefined
}
