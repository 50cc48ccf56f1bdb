import { readText, readTextIfPresent } from '../../native/ts/file.ts'
import type { IdMappings } from '../../native/ts/user-namespace.ts'
import type { DNSConfig, IDMapping, LinuxContainerResources, NamespaceOption, PodSandboxConfig, UserNamespace } from '../../protocol/gen/cri.ts'
import { NamespaceMode } from '../../protocol/gen/cri.ts'
import type { LinuxIdMapping } from '../../protocol/oci/linux.ts'
import { type Bundle, isPauseBundle } from '../bundle.ts'
import { podSandboxCgroup } from '../resources/cgroup-path.ts'
import { limitsOf, limitsOfResources, noLimits, type PodLimits } from '../resources/limits.ts'
import { mappingsOfPod } from '../spec/id-mappings.ts'
import { refuseHostNamespaces } from '../spec/namespaces.ts'
import { sandboxSysctls } from '../spec/sysctl.ts'

/** Who decides when a sandbox ends: its containers, by the deletion of the last one, or containerd through the Sandbox API. */
export type Lifetime = 'containers' | 'sandbox-api'

/**
 * What a sandbox is to be. It is told in two ways, and this is where they meet: as the bundle of its first container
 * (podsandbox's pause, or the one container of `ctr run`), or as CRI's PodSandboxConfig in CreateSandbox (`sandboxer = "shim"`).
 */
export interface PodDescription {
  lifetime: Lifetime
  /** Empty: the guest makes one from the sandbox's id. */
  hostname: string
  /** Of the namespaces that the containers share. */
  sysctls: Record<string, string>
  /** Of the pod (CRI) or of the first container. */
  annotations: Record<string, string>
  /** Network namespace that CNI prepared on the host; empty: none. */
  netnsPath: string
  /** The sandbox's cgroup on the host, as a spec's linux.cgroupsPath says it; empty: one below /kata-ts. */
  cgroupsPath: string
  limits: PodLimits
  /**
   * Contents of files that every container is to have in /etc, by name. Empty where containerd mounts its own: it leaves them to
   * the sandbox with `sandboxer = "shim"`.
   */
  etc: Record<string, string>
  /** Of the user namespace that its containers share (hostUsers: false); undefined: they share none. */
  idMappings: IdMappings | undefined
}

/** The sandbox of a bundle's container. Throws Fault for what no sandbox can be. */
export function podOfBundle(bundle: Bundle): PodDescription {
  const { spec, annotations } = bundle
  const isPause = isPauseBundle(bundle)
  const namespaces = spec.linux?.namespaces ?? []
  refuseHostNamespaces(namespaces)
  return {
    lifetime: 'containers',
    hostname: spec.hostname || (isPause ? hostHostname() : ''),
    sysctls: sandboxSysctls(spec.linux?.sysctl ?? {}, { isPause }),
    annotations,
    netnsPath: namespaces.find(namespace => namespace.type === 'network')?.path ?? '',
    cgroupsPath: spec.linux?.cgroupsPath ?? '',
    limits: limitsOf(spec),
    etc: {},
    // A lone container makes its own.
    idMappings: isPause ? mappingsOfPod(spec.linux) : undefined,
  }
}

/**
 * What containerd 2 gives every pod by default (enable_unprivileged_ports, enable_unprivileged_icmp), by the spec of a pause
 * container: without one it is the sandbox's to do.
 */
const criSysctls: Readonly<Record<string, string>> = {
  'net.ipv4.ip_unprivileged_port_start': '0',
  'net.ipv4.ping_group_range': '0 2147483647',
}

/** The sandbox `id` that CRI describes. Throws Fault for what no sandbox can be. */
export function podOfConfig(id: string, config: PodSandboxConfig, netnsPath: string): PodDescription {
  const options = config.linux?.securityContext?.namespaceOptions
  refuseHostNamespaces(ownNamespaces(options))
  const hostname = config.hostname || hostHostname()
  return {
    lifetime: 'sandbox-api',
    hostname,
    sysctls: { ...criSysctls, ...sandboxSysctls(config.linux?.sysctls ?? {}, { isPause: true }) },
    annotations: config.annotations,
    netnsPath,
    cgroupsPath: config.linux?.cgroupParent ? podSandboxCgroup(config.linux.cgroupParent, id) : '',
    limits: limitsOfCri(config.linux?.resources),
    etc: {
      'hostname': `${hostname}\n`,
      // As containerd's own sandboxer does it; kubelet mounts another one over it.
      'hosts': readTextIfPresent('/etc/hosts') ?? '127.0.0.1\tlocalhost\n::1\tlocalhost\n',
      'resolv.conf': config.dnsConfig ? resolvConf(config.dnsConfig) : readTextIfPresent('/etc/resolv.conf') ?? '',
    },
    idMappings: mappingsOfConfig(options?.usernsOptions),
  }
}

/** CRI says them as the runtime spec does, by other names. */
function mappingsOfConfig(options: UserNamespace | undefined): IdMappings | undefined {
  if (options?.mode !== NamespaceMode.POD) return undefined
  const ofSpec = ({ containerId, hostId, length }: IDMapping): LinuxIdMapping => ({ containerID: containerId, hostID: hostId, size: length })
  return mappingsOfPod({ namespaces: [{ type: 'user' }], uidMappings: options.uids.map(ofSpec), gidMappings: options.gids.map(ofSpec) })
}

/** CRI's resources mean what the runtime spec's do. */
export function limitsOfCri(resources: LinuxContainerResources | undefined): PodLimits {
  if (!resources) return noLimits
  return limitsOfResources({
    memory: { limit: Number(resources.memoryLimitInBytes) },
    cpu: { quota: Number(resources.cpuQuota), period: Number(resources.cpuPeriod) },
    hugepageLimits: resources.hugepageLimits.map(({ pageSize, limit }) => ({ pageSize, limit: Number(limit) })),
  })
}

/** What a pod without a name of its own is called by runc: its UTS namespace is a copy of the host's. */
function hostHostname(): string {
  return readText('/proc/sys/kernel/hostname').trim()
}

/** The types that are not the host's, as the entries of a spec. */
function ownNamespaces(options: NamespaceOption | undefined): { type: 'network' | 'pid' | 'ipc' }[] {
  const types = ['network', 'pid', 'ipc'] as const
  return types.filter(type => options?.[type] !== NamespaceMode.NODE).map(type => ({ type }))
}

/** resolv.conf(5). */
function resolvConf({ servers, searches, options }: DNSConfig): string {
  return [
    ...(searches.length > 0 ? [`search ${searches.join(' ')}`] : []),
    ...servers.map(server => `nameserver ${server}`),
    ...(options.length > 0 ? [`options ${options.join(' ')}`] : []),
  ].map(line => `${line}\n`).join('')
}
