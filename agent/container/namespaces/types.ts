import {
  CLONE_NEWCGROUP, CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWTIME, CLONE_NEWUSER, CLONE_NEWUTS,
} from '../../../native/ts/constants/sched.ts'
import type { NamespaceType } from '../../../protocol/oci/linux.ts'

/** Each namespace type of the runtime spec (config-linux.md#namespaces): its clone flag and its name in /proc/<pid>/ns. */
export const namespaceTypes: Readonly<Record<NamespaceType, { flag: number; file: string }>> = {
  pid: { flag: CLONE_NEWPID, file: 'pid' },
  network: { flag: CLONE_NEWNET, file: 'net' },
  mount: { flag: CLONE_NEWNS, file: 'mnt' },
  ipc: { flag: CLONE_NEWIPC, file: 'ipc' },
  uts: { flag: CLONE_NEWUTS, file: 'uts' },
  user: { flag: CLONE_NEWUSER, file: 'user' },
  cgroup: { flag: CLONE_NEWCGROUP, file: 'cgroup' },
  time: { flag: CLONE_NEWTIME, file: 'time' },
}
