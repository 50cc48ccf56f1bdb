import * as sys from 'native:sys'
import { check } from '../../native/ts/errno.ts'
import { writeKernelFile } from '../../native/ts/file.ts'

/** include/uapi/asm-generic/resource.h */
const RLIMIT_NPROC = 6
const RLIMIT_NOFILE = 7
const RLIM_INFINITY = 0xffff_ffff_ffff_ffffn

/**
 * Limits of the machine, and resource limits that containers inherit where their spec says nothing. The kernel's own are meant for an init on
 * a small machine: 1024 files, and so few processes that a 128 MiB guest could not run a usual service as a user.
 */
export function raiseLimits(): void {
  // As kubelet sets up its node: programs reserve far more than they touch, and a small machine's kernel would refuse by its size
  // what a big one grants. What is really used is limited by the cgroups.
  writeKernelFile('/proc/sys/vm/overcommit_memory', '1')
  // The kernel's own table is sized by memory, a tenth of it, and one container could fill it for all others and for the agent. An open file is
  // charged to the memory cgroup of who opens it (SLAB_ACCOUNT, fs/file_table.c), which ends before the machine does. LONG_MAX, as systemd sets it.
  writeKernelFile('/proc/sys/fs/file-max', '9223372036854775807')
  check('prlimit', 'RLIMIT_NOFILE', sys.setrlimit(0, RLIMIT_NOFILE, 65_536n, 1_048_576n))
  check('prlimit', 'RLIMIT_NPROC', sys.setrlimit(0, RLIMIT_NPROC, RLIM_INFINITY, RLIM_INFINITY))
}
