// The kernel symbols that containers cannot do without, by the feature that needs each. Kept apart from the fragments
// on purpose: those may be trimmed for boot time, and this list says where trimming must stop.

/** Feature → symbols that must be built in. */
export const CONTAINER_NEEDS: Readonly<Record<string, readonly string[]>> = {
  // OCI runtime specification, config-linux.md#namespaces
  namespaces: ['NAMESPACES', 'UTS_NS', 'IPC_NS', 'USER_NS', 'PID_NS', 'NET_NS', 'TIME_NS', 'CGROUPS'],
  // config-linux.md#control-groups, on cgroup v2
  'cgroup limits': ['MEMCG', 'CFS_BANDWIDTH', 'CPUSETS', 'CGROUP_PIDS', 'BLK_CGROUP', 'BLK_DEV_THROTTLING', 'BLK_CGROUP_IOCOST', 'CGROUP_HUGETLB', 'CGROUP_FREEZER'],
  'device rules': ['CGROUP_BPF', 'BPF_SYSCALL', 'BPF_JIT'],
  'pressure stall information': ['PSI'],
  seccomp: ['SECCOMP', 'SECCOMP_FILTER'],
  'root filesystems': ['OVERLAY_FS', 'EROFS_FS', 'EXT4_FS', 'VIRTIO_FS', 'VIRTIO_BLK', 'BLK_DEV_LOOP'],
  'default mounts and devices': ['PROC_FS', 'SYSFS', 'TMPFS', 'DEVTMPFS', 'UNIX98_PTYS', 'POSIX_MQUEUE', 'SHMEM', 'HUGETLBFS'],
  'extended attributes and ACLs': ['TMPFS_XATTR', 'TMPFS_POSIX_ACL', 'EXT4_FS_SECURITY', 'EROFS_FS_XATTR'],
  'pod network': ['INET', 'IPV6', 'UNIX', 'PACKET', 'VIRTIO_NET', 'TUN', 'VETH', 'BRIDGE', 'IP_MULTIPLE_TABLES'],
  'service mesh redirection': ['NF_TABLES', 'NFT_COMPAT', 'NFT_REDIR', 'NFT_TPROXY', 'IP_NF_NAT', 'IP6_NF_NAT', 'NETFILTER_XT_TARGET_REDIRECT', 'NETFILTER_XT_MATCH_OWNER', 'NETFILTER_XT_MATCH_CONNTRACK', 'NETFILTER_XT_MATCH_ADDRTYPE'],
  'language runtimes': ['FUTEX', 'EPOLL', 'EVENTFD', 'SIGNALFD', 'TIMERFD', 'INOTIFY_USER', 'IO_URING', 'AIO', 'MEMFD_CREATE', 'USERFAULTFD', 'MEMBARRIER', 'RSEQ', 'KEYS', 'FHANDLE'],
  '32-bit programs': ['IA32_EMULATION'],
  'user-space filesystems': ['FUSE_FS'],
  'shim and agent': ['VSOCKETS', 'VIRTIO_VSOCKETS', 'PVH', 'VIRTIO_PCI', 'SERIAL_8250_CONSOLE', 'SERIAL_8250_PNP', 'HOTPLUG_PCI_PCIE', 'HW_RANDOM_VIRTIO'],
  'memory given back': ['VIRTIO_BALLOON', 'PAGE_REPORTING', 'VIRTIO_MEM', 'MEMORY_HOTPLUG'],
}

/** Symbols that must stay off, with what each would open or cost. */
export const CONTAINER_REFUSALS: Readonly<Record<string, string>> = {
  VSOCKETS_LOOPBACK: 'a container could dial the agent through CID 1',
  DUMMY: 'a dummy0 beside lo in every pod',
  DEVMEM: 'raw memory of the guest',
  MODULES: 'code loaded into the guest kernel',
  MAGIC_SYSRQ: 'a container with a writable /proc/sysrq-trigger could end the pod',
  CRYPTO_JITTERENTROPY: '95 ms of every boot',
}
