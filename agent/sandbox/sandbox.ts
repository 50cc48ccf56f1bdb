import { Fault } from '../../native/ts/fault.ts'
import type { CreateSandboxRequest, NetworkInterface } from '../../protocol/gen/agent.ts'
import type { Spec } from '../../protocol/oci/spec.ts'
import type { ContainerService } from '../container-service.ts'
import type { Events } from '../events.ts'
import type { Log } from '../log.ts'
import type { PodCgroup } from '../pid1/cgroup.ts'
import type { Reaper } from '../pid1/reaper.ts'
import { alreadyExists, notFound, wrongState } from '../refusal.ts'
import type { Streams } from '../streams/streams.ts'
import type { SandboxContainer } from './container.ts'
import { SharedSources } from './shared-sources.ts'
import type { PodPidNamespace } from './pid-namespace.ts'
import type { PodUserNamespace } from './user-namespace.ts'

/** What the agent's parts are, made once at start-up. */
export interface AgentParts {
  log: Log
  events: Events
  reaper: Reaper
  streams: Streams
  /** Sets up the machine for a sandbox; on a host without a VM there is nothing of the kind to do. */
  prepareMachine: (request: CreateSandboxRequest) => void
  /** Makes the user namespace of a pod and what belongs to it; on a host without a VM there is no pod to have one. */
  enterUserNamespace: (request: CreateSandboxRequest) => Promise<PodUserNamespace>
  /** Sets up the machine's network devices, which the pod's namespaces take, if it has any of its own. */
  prepareNetwork: (interfaces: readonly NetworkInterface[], userNamespace: PodUserNamespace | undefined) => Promise<void>
  /** Takes the machine down again, when the last container is gone. */
  releaseMachine: () => void
  /** What only containers need: done once. */
  prepareContainers: () => Promise<void>
  /** The spec of a privileged container, with the machine's devices; on a host without a VM they are nobody's to give. */
  withDevices: (spec: Spec) => Promise<Spec>
  /** Directory of a container's cgroup below the hierarchy's root. */
  cgroupPath: (containerId: string) => string
  /** The cgroup of all containers; undefined on a host, whose memory and tasks are its administrator's to share out. */
  pod: PodCgroup | undefined
  /** Called when the sandbox was destroyed and the answer is on its way. */
  end: (reason: string) => void
}

/** Containers that may exist at a time; a pod has a handful. */
const maxContainers = 1024

/** - `new`: nothing was asked for yet. - `ready`. - `destroyed`: the end of the VM is near. */
type State = 'new' | 'ready' | 'destroyed'

/** The one sandbox that this agent serves. */
export class Sandbox {
  #state: State = 'new'
  #service: Promise<ContainerService> | undefined
  readonly #containers = new Map<string, SandboxContainer>()
  readonly sources = new SharedSources()
  /** Of the containers that are to share one. */
  pidNamespace: PodPidNamespace | undefined
  /** Of all containers that ask for the pod's; undefined: the pod has none. */
  userNamespace: PodUserNamespace | undefined

  constructor(readonly parts: AgentParts) {}

  /** new → ready. Throws what preparing throws, and stays new then. */
  create(request: CreateSandboxRequest): void {
    if (this.#state !== 'new') throw alreadyExists(`the sandbox was created already (it is ${this.#state})`)
    try {
      this.parts.prepareMachine(request)
    } catch (cause) {
      throw new Fault(`create sandbox ${request.sandboxId}`, { cause })
    }
    this.#state = 'ready'
  }

  /**
   * The RPCs about containers, with the container library, after all that containers need was prepared. None of it is
   * needed to dial, so it comes at the first asking. Rejects with what could not be prepared.
   */
  containerService(): Promise<ContainerService> {
    this.#service ??= (async () => {
      await this.parts.prepareContainers()
      const { containerService } = await import('../container-service.ts')
      return containerService(this)
    })()
    return this.#service
  }

  destroyed(): void {
    this.#state = 'destroyed'
  }

  get containers(): SandboxContainer[] {
    return [...this.#containers.values()]
  }

  /** Throws Refusal(NotFound). */
  container(id: string): SandboxContainer {
    const container = this.#containers.get(id)
    if (!container) throw notFound(`container ${id} does not exist`)
    return container
  }

  /** Throws Refusal when the sandbox is not ready, the id is taken, or there are too many. */
  requireRoomFor(id: string): void {
    if (this.#state !== 'ready') throw wrongState(this.#state === 'new' ? 'no sandbox: CreateSandbox comes first' : 'the sandbox was destroyed')
    if (this.#containers.has(id)) throw alreadyExists(`container ${id} exists already`)
    if (this.#containers.size >= maxContainers) throw wrongState(`the sandbox has ${maxContainers} containers; delete some first`)
  }

  add(container: SandboxContainer): void {
    this.#containers.set(container.id, container)
  }

  remove(id: string): void {
    this.#containers.delete(id)
  }
}
