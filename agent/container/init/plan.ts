import type { Fd } from '../../../native/ts/fd.ts'
import type { Process } from '../../../protocol/oci/process.ts'
import type { Spec } from '../../../protocol/oci/spec.ts'
import type { CgroupMountSource } from '../cgroup/cgroup.ts'
import type { CgroupTasks } from '../cgroup/tasks.ts'
import type { NamespacePlan } from '../namespaces/plan.ts'
import type { ProcessIo } from '../options.ts'
import type { MountPlan } from '../rootfs/mount-options.ts'
import type { CompiledFilter } from '../seccomp/filter.ts'
import type { CapabilityPlan } from './capabilities.ts'

/** What one process of a container becomes: the part that init and exec have in common. */
export interface ProcessPlan {
  process: Process
  io: ProcessIo
  /** Descriptors that the program finds from 3 on. */
  pass: readonly Fd[]
  capabilities: CapabilityPlan
  /** The container's filter, compiled; undefined: none. */
  seccomp: CompiledFilter | undefined
  /** AppArmor's, for a kernel that has it. */
  profile?: string | undefined
  /** CPUs to run on in the container's cgroup; undefined: as the kernel has it. */
  affinity?: readonly number[] | undefined
  /** Whether it has a user namespace of its own. */
  mapped: boolean
  /** Borrowed: how it enters its cgroup; undefined: it is born there, or put there. */
  cgroupTasks?: CgroupTasks | undefined
}

/** All that init needs. It is made before clone3, where errors are cheap, and reaches init as memory does in a fork. */
export interface InitPlan extends ProcessPlan {
  id: string
  bundle: string
  spec: Spec
  /** Absolute. */
  rootPath: string
  namespaces: NamespacePlan
  mounts: readonly MountPlan[]
  cgroupMounts: readonly CgroupMountSource[]
  /** A listener on which start is asked for, in place of the parent's socket. */
  startListener: Fd | undefined
  /** CreateOptions.noPivot, CreateOptions.keepKeyring */
  noPivot: boolean
  keepKeyring: boolean
  /** Whether the parent is another user than root. */
  parentIsUser: boolean
  /** Whether the parent runs hooks between `mounted` and `hooks-done`. */
  parentHooks: boolean
  /** What hooks read on stdin, pid left to the one who runs them (runtime.md#state). */
  annotations: Record<string, string>
}
