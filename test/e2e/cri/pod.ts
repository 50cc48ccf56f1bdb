/** A pod made over CRI, and its containers. */
import { randomBytes } from 'node:crypto'
import type { ContainerConfig, ContainerSecurityContext, CriClient, CriMount, LinuxResources, NamespaceOptions, PodSandboxConfig } from './client.ts'

export const podImage = 'docker.io/library/busybox:latest'

export interface PodOptions {
  /** Of RuntimeClass: `runc`, `kata-ts`, `kata-ts-sandbox`. */
  handler: string
  /** kubelet's sum over the containers' limits. */
  resources?: LinuxResources
  cgroupParent?: string
  annotations?: Record<string, string>
  sysctls?: Record<string, string>
  dns?: NonNullable<PodSandboxConfig['dns_config']>
  /** Each container's, too, unless it says otherwise. */
  namespaces?: NamespaceOptions
  /** Begins the pod's name: what is left of a test can be found by it. */
  prefix?: string
}

/** What containers of few tests have. */
export interface ContainerOptions { mounts?: CriMount[]; security?: Omit<ContainerSecurityContext, 'namespace_options'> }

export class Pod {
  #containers = 0
  #removed = false
  private constructor(private readonly cri: CriClient, readonly id: string, readonly config: PodSandboxConfig) {}

  /** RunPodSandbox. */
  static async run(cri: CriClient, options: PodOptions): Promise<Pod> {
    const uid = randomBytes(8).toString('hex')
    const name = `${options.prefix ?? 'pod'}-${uid}`
    const config: PodSandboxConfig = {
      metadata: { name, uid, namespace: 'default', attempt: 0 },
      hostname: name,
      annotations: options.annotations ?? {},
      ...(options.dns ? { dns_config: options.dns } : {}),
      linux: {
        ...(options.sysctls ? { sysctls: options.sysctls } : {}),
        ...(options.namespaces ? { security_context: { namespace_options: options.namespaces } } : {}),
        ...(options.cgroupParent === undefined ? {} : { cgroup_parent: options.cgroupParent }), ...(options.resources ? { resources: options.resources } : {}),
      },
    }
    const { pod_sandbox_id } = await cri.call('RunPodSandbox', { config, runtime_handler: options.handler })
    return new Pod(cri, pod_sandbox_id, config)
  }

  /** CreateContainer and StartContainer; gives the container's id. */
  async start(command: string[], resources?: LinuxResources, namespaces = this.config.linux?.security_context?.namespace_options, more: ContainerOptions = {}): Promise<string> {
    const config: ContainerConfig = {
      metadata: { name: `c${++this.#containers}`, attempt: 0 }, image: { image: podImage }, command, ...(more.mounts ? { mounts: more.mounts } : {}),
      linux: { ...(resources ? { resources } : {}), ...(namespaces ? { security_context: { ...more.security, namespace_options: namespaces } } : {}) },
    }
    const { container_id } = await this.cri.call('CreateContainer', { pod_sandbox_id: this.id, config, sandbox_config: this.config })
    await this.cri.call('StartContainer', { container_id })
    return container_id
  }

  /** A command in a container, to its end. */
  async exec(container: string, cmd: string[]): Promise<{ status: number; stdout: string; stderr: string }> {
    const { exit_code, stdout, stderr } = await this.cri.call('ExecSync', { container_id: container, cmd, timeout: 60 })
    return { status: exit_code, stdout: stdout.toString(), stderr: stderr.toString() }
  }

  /** A shell script in a container, to its end; gives its standard output. Throws when it fails. */
  async shell(container: string, script: string): Promise<string> {
    const { status, stdout, stderr } = await this.exec(container, ['sh', '-c', script])
    if (status !== 0) throw new Error(`exit ${status} of ${script}\n${stdout}${stderr}`)
    return stdout
  }

  /** Stops and removes the pod with all its containers. Idempotent. */
  async remove(): Promise<void> {
    if (this.#removed) return
    this.#removed = true
    await this.cri.call('StopPodSandbox', { pod_sandbox_id: this.id })
    await this.cri.call('RemovePodSandbox', { pod_sandbox_id: this.id })
  }
}
