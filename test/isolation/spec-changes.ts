/** Changes to the spec of a container that several cases make: more rights, fewer guards. */
import { defaultCapabilities } from '../e2e/spec.ts'
import type { ProcessSpec, Spec } from '../e2e/spec.ts'

export function addCapabilities(process: ProcessSpec, ...names: string[]): void {
  for (const set of ['bounding', 'effective', 'permitted'] as const) process.capabilities[set] = [...process.capabilities[set], ...names]
}

/** Every device of the kernel may be used by who makes the node: the device cgroup is off. */
export function allowAllDevices(spec: Spec): void {
  spec.linux.resources['devices'] = [{ allow: true, access: 'rwm' }]
}

/** The container joins the host's namespace of this type: it is left out of the spec. */
export function shareHostNamespace(spec: Spec, type: 'pid' | 'network' | 'ipc' | 'uts'): void {
  spec.linux.namespaces = spec.linux.namespaces.filter((namespace) => namespace.type !== type)
}

/** What `privileged` takes away: masks, read-only mounts, the limits of capabilities and devices. */
export function unguard(spec: Spec): void {
  spec.linux.maskedPaths = []
  spec.linux.readonlyPaths = []
  spec.process.noNewPrivileges = false
  for (const mount of spec.mounts) mount.options = mount.options.filter((option) => option !== 'ro')
  for (const set of ['bounding', 'effective', 'permitted'] as const) spec.process.capabilities[set] = privilegedCapabilities
  allowAllDevices(spec)
}

/** Those that a container with the right to everything has, without CAP_SYS_RESOURCE, which these machines' root lacks. */
const privilegedCapabilities = [...defaultCapabilities,
  'CAP_DAC_READ_SEARCH', 'CAP_IPC_LOCK', 'CAP_IPC_OWNER', 'CAP_LINUX_IMMUTABLE', 'CAP_MAC_ADMIN', 'CAP_MAC_OVERRIDE',
  'CAP_NET_ADMIN', 'CAP_SYSLOG', 'CAP_SYS_ADMIN', 'CAP_SYS_BOOT', 'CAP_SYS_MODULE', 'CAP_SYS_PTRACE', 'CAP_SYS_RAWIO',
  'CAP_SYS_TIME', 'CAP_WAKE_ALARM', 'CAP_BPF', 'CAP_PERFMON',
]
