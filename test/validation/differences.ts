/**
 * Where kata-ts and runc 1.1 do not say the same, and what fails with both: the table that README gives. What fails and does
 * not stand here fails the lane, and so does what stands here and does not fail, so that the table stays true.
 */

export interface Reason {
  /** The program and, behind a colon, the assertion; a program alone: it ends with an error before it asserts anything. */
  what: string
  why: string
  /** Where this holds on some hosts only. */
  where?: 'no CAP_SYS_RESOURCE' | 'cgroup v1'
}

const noResource = 'the container lacks CAP_SYS_RESOURCE where the runtime itself has not got it; kata-ts warns and goes on, runc refuses to create it'
const asserted = 'the program asserts what cannot be:'

/** What fails with kata-ts. Nothing of it passes with runc. */
export const failures: readonly Reason[] = [
  { what: 'hooks_stdin: the state of the container MUST be passed to "prestart" hook over stdin', why: `${asserted} it compares the id with ociVersion and the status with that of a later time` },
  { what: 'linux_cgroups_blkio', why: 'the kernel has no blkio.leaf_weight; refused with an error that says so' },
  { what: 'linux_cgroups_hugetlb', why: 'the host has no hugetlb controller; refused with an error that says so' },
  { what: 'linux_cgroups_network', why: 'the host has no net_cls controller; refused with an error that says so' },
  { what: 'linux_cgroups_relative_blkio: exit status 1', why: 'the kernel has no blkio.leaf_weight; refused with an error that says so' },
  { what: 'linux_cgroups_relative_hugetlb: exit status 1', why: 'the host has no hugetlb controller; refused with an error that says so' },
  { what: 'linux_cgroups_relative_network: exit status 1', why: 'the host has no net_cls controller; refused with an error that says so' },
  { what: 'linux_cgroups_memory: memory kernel is set correctly', why: 'the kernel ignores memory.kmem.limit_in_bytes (since 5.16)', where: 'cgroup v1' },
  { what: 'linux_cgroups_relative_memory: memory kernel is set correctly', why: 'the kernel ignores memory.kmem.limit_in_bytes (since 5.16)', where: 'cgroup v1' },
  { what: 'linux_mount_label', why: 'the kernel has no SELinux; refused with an error that says so' },
  { what: 'linux_process_apparmor_profile', why: 'the kernel has no AppArmor; refused with an error that says so' },
  { what: 'linux_rootfs_propagation: check root propagation', why: noResource, where: 'no CAP_SYS_RESOURCE' },
  { what: 'misc_props: implementations that are reading/processing this configuration file MUST NOT generate an error if they encounter an unknown annotation key', why: `${asserted} its bundle lacks the program that it runs` },
  ...['bounding', 'effective', 'inheritable', 'permitted', 'ambient'].map(set => (
    { what: `process_capabilities: expected ${set} capability CAP_SYS_RESOURCE set`, why: noResource, where: 'no CAP_SYS_RESOURCE' } as const
  )),
  { what: 'process_capabilities_fail', why: 'an unknown capability is to be an error, which it is; the program tells of it with its exit status' },
  { what: 'process_rlimits: has expected soft RLIMIT_NOFILE', why: `${asserted} Go raises its own soft limit before it looks` },
  { what: 'start: exit status 1', why: `${asserted} that a container without a process starts; it is refused by create` },
]

/** Whose outcome is chance, with every runtime: not judged. test/oci has cases of its own for it. */
export const races: readonly Reason[] = [
  { what: 'pidfile: create with \'--pid-file\' option works', why: 'it kills a container that ends by itself; who comes first depends on the load' },
  { what: 'killsig: `kill` operation MUST send the specified signal to the container process', why: 'it kills as soon as the container runs, when its shell may not have set the trap yet; on a busy host it fails with runc, too' },
  { what: 'hooks_stdin: the state of the container MUST be passed to "poststart" hook over stdin', why: 'it compares the pid with that of a later state, which has none once the program, true, has ended' },
]

/** What runc fails and kata-ts passes. */
export const better: readonly Reason[] = [
  { what: 'delete: attempting to `delete` a container that is not `stopped` MUST generate an error', why: 'runc deletes a created container' },
  { what: 'delete: attempting to `delete` a container that is not `stopped` MUST have no effect on the container', why: 'runc deletes a created container' },
  { what: 'linux_cgroups_devices: devices c 10:229 rwm is set correctly', why: 'runc reorders the rules', where: 'cgroup v1' },
  { what: 'linux_cgroups_relative_devices: devices c 10:229 rwm is set correctly', why: 'runc reorders the rules', where: 'cgroup v1' },
  { what: 'linux_cgroups_memory: memory kernelTCP is set correctly', why: 'runc 1.1 ignores it', where: 'cgroup v1' },
  { what: 'linux_cgroups_relative_memory: memory kernelTCP is set correctly', why: 'runc 1.1 ignores it', where: 'cgroup v1' },
  { what: 'linux_seccomp: seccomp action is added correctly', why: 'runc needs getcwd to be allowed by the filter' },
]
