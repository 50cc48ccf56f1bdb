/** CRI as kubelet speaks it, to a stack's containerd. */
import { credentials, makeGenericClientConstructor } from '@grpc/grpc-js'
import type { ServiceDefinition, ServiceError } from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'

export interface LinuxResources {
  cpu_period?: number; cpu_quota?: number; cpu_shares?: number; memory_limit_in_bytes?: number; oom_score_adj?: number
  cpuset_cpus?: string; hugepage_limits?: { page_size: string; limit: number }[]; unified?: Record<string, string>
}
/** Names of CRI's NamespaceMode; left out: POD. */
export interface NamespaceOptions { network?: 'NODE'; pid?: 'POD' | 'CONTAINER' | 'NODE' | 'TARGET'; ipc?: 'NODE'; target_id?: string; userns_options?: UserNamespace }
export interface IdMapping { container_id: number; host_id: number; length: number }
export interface UserNamespace { mode: 'POD'; uids: IdMapping[]; gids: IdMapping[] }
export interface CriMount { container_path: string; host_path: string; readonly?: boolean; uidMappings?: IdMapping[]; gidMappings?: IdMapping[] }
export interface ContainerSecurityContext { namespace_options: NamespaceOptions; capabilities?: { add_capabilities: string[] }; run_as_user?: { value: number }; supplemental_groups?: number[] }
export interface PodSandboxConfig {
  metadata: { name: string; uid: string; namespace: string; attempt: number }
  hostname?: string
  log_directory?: string
  dns_config?: { servers?: string[]; searches?: string[]; options?: string[] }
  annotations?: Record<string, string>
  linux?: { cgroup_parent?: string; security_context?: { namespace_options: NamespaceOptions }; sysctls?: Record<string, string>; overhead?: LinuxResources; resources?: LinuxResources }
}
export interface ContainerConfig {
  metadata: { name: string; attempt: number }
  image: { image: string }
  command?: string[]
  args?: string[]
  log_path?: string
  mounts?: CriMount[]
  linux?: { resources?: LinuxResources; security_context?: ContainerSecurityContext }
}
interface Value { value: string }
interface Cpu { usage_core_nano_seconds: Value | null; usage_nano_cores: Value | null }
interface Memory { working_set_bytes: Value | null; available_bytes: Value | null; usage_bytes: Value | null; rss_bytes: Value | null; page_faults: Value | null; major_page_faults: Value | null }
export interface ContainerStats { cpu: Cpu | null; memory: Memory | null }

interface Calls {
  RunPodSandbox: [{ config: PodSandboxConfig; runtime_handler: string }, { pod_sandbox_id: string }]
  StopPodSandbox: [{ pod_sandbox_id: string }, unknown]
  RemovePodSandbox: [{ pod_sandbox_id: string }, unknown]
  /** state: 0 ready, 1 not. `info` with `verbose`, in JSON of the sandboxer's. */
  PodSandboxStatus: [{ pod_sandbox_id: string; verbose: boolean }, { status: { id: string; state: number }; info: Record<string, string> }]
  PodSandboxStats: [{ pod_sandbox_id: string }, { stats: { linux: { cpu: Cpu | null; memory: Memory | null; process: { process_count: Value } | null; containers: ContainerStats[] } } }]
  CreateContainer: [{ pod_sandbox_id: string; config: ContainerConfig; sandbox_config: PodSandboxConfig }, { container_id: string }]
  StartContainer: [{ container_id: string }, unknown]
  StopContainer: [{ container_id: string; timeout: number }, unknown]
  RemoveContainer: [{ container_id: string }, unknown]
  /** state: 0 created, 1 running, 2 exited. */
  ContainerStatus: [{ container_id: string }, { status: { state: number; exit_code: number; reason: string; message: string } }]
  ContainerStats: [{ container_id: string }, { stats: ContainerStats }]
  UpdateContainerResources: [{ container_id: string; linux: LinuxResources }, unknown]
  ExecSync: [{ container_id: string; cmd: string[]; timeout: number }, { stdout: Buffer; stderr: Buffer; exit_code: number }]
  PullImage: [{ image: { image: string } }, { image_ref: string }]
}

const definitions = loadSync(`${import.meta.dirname}/runtime.proto`, { keepCase: true, longs: String, enums: String, defaults: true })
const Client = (service: 'RuntimeService' | 'ImageService') =>
  makeGenericClientConstructor(definitions[`runtime.v1.${service}`] as ServiceDefinition, service) // the loader's map mixes services with messages; these are services

export class CriClient {
  readonly #runtime
  readonly #images

  constructor(socket: string) {
    this.#runtime = new (Client('RuntimeService'))(`unix://${socket}`, credentials.createInsecure())
    this.#images = new (Client('ImageService'))(`unix://${socket}`, credentials.createInsecure())
  }

  call<Name extends keyof Calls>(name: Name, request: Calls[Name][0], timeoutMs = 120_000): Promise<Calls[Name][1]> {
    const client = name === 'PullImage' ? this.#images : this.#runtime
    const method = client[name] as (request: unknown, options: { deadline: number }, done: (error: ServiceError | null, answer: Calls[Name][1]) => void) => void // a generic client has a method for each RPC of its definition
    return new Promise((resolve, reject) => method.call(client, request, { deadline: Date.now() + timeoutMs }, (error, answer) => {
      if (error) reject(error)
      else resolve(answer)
    }))
  }

  close(): void {
    this.#runtime.close()
    this.#images.close()
  }
}
