import type { Fd } from '../../native/ts/fd.ts'
import type { NamespaceType } from '../../protocol/oci/linux.ts'
import type { Spec } from '../../protocol/oci/spec.ts'
import type { Cgroup } from './cgroup/cgroup.ts'

export interface WindowSize {
  width: number
  height: number
}

/** What a process has on 0, 1 and 2. The descriptors are taken over, and closed on failure too. */
export type ProcessIo =
  | { terminal: false; stdin: Fd; stdout: Fd; stderr: Fd }
  | { terminal: true; size?: WindowSize }

export interface CreateOptions {
  id: string
  /** Directory that `root.path` is relative to. */
  bundle: string
  spec: Spec
  io: ProcessIo
  /** Directory of the container below every cgroup hierarchy's root; `linux.cgroupsPath` of the spec wins. */
  cgroupPath: string
  /** A cgroup in place of both, for a caller that has it made by others (systemd). */
  cgroup?: Cgroup | undefined
  /** Whether the container does without where the caller may not make one (and the spec sets no limits). */
  cgroupOptional?: boolean
  /** Namespaces to join by path, in place of what the spec says. */
  namespaces?: Partial<Record<NamespaceType, string>>
  /** Whether a spec without a mount namespace is followed: the mounts are then made in the caller's. Refused without. */
  inheritMounts?: boolean
  /** Moves the root to / in place of pivot_root(2), which a root on a ramdisk (rootfs, initramfs) refuses. */
  noPivot?: boolean
  /** Leaves the container the caller's session keyring. */
  keepKeyring?: boolean
  /** A unix socket (SOCK_SEQPACKET) to make, on which start is asked for: for a caller that ends after create. */
  startSocket?: string
  /** Descriptors from 3 on, taken over, that the process finds under 3, 4, … */
  pass?: Fd[]
  /** Told, one line each, what was asked for and could not be granted. */
  warn?: (message: string) => void
}

/** Closes what a ProcessIo owns. */
export function closeIo(io: ProcessIo): void {
  if (io.terminal) return
  for (const fd of [io.stdin, io.stdout, io.stderr]) fd.close()
}
