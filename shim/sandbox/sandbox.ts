import * as sys from 'native:sys'
import { realtimeNs, within } from '../../native/ts/clock.ts'
import { Fault, story } from '../../native/ts/fault.ts'
import type { Fd } from '../../native/ts/fd.ts'
import { Owner } from '../../native/ts/owner.ts'
import { Code } from '../../protocol/ttrpc/status.ts'
import { type AgentClient, AgentError } from '../agent-client.ts'
import { type AgentLimits, defaultAgentLimits } from '../agent-limits.ts'
import type { ProcessExit } from '../process/state.ts'
import { Refusal } from '../refusal.ts'
import { agentMappings } from '../spec/id-mappings.ts'
import type { PidOwner } from '../spec/pid-namespace.ts'
import type { PortForward } from '../network/port-forward.ts'
import { Disks } from '../storage/disks.ts'
import { GuestVolumes } from '../storage/guest-volumes.ts'
import type { Container } from './container.ts'
import type { PodDescription } from './pod.ts'
import type { SandboxPorts } from './ports.ts'
import { move, type SandboxState, type SandboxStateName } from './state.ts'
import { GuestEvents } from './guest-events.ts'

/** How long the VMM's death may lag behind the loss of its agent, before the agent alone counts as dead. */
const vmmDeathLagMs = 1_000
/** SIGKILL's exit status: what the processes of a lost guest have died of. */
export const killedStatus = 137
/** Of a sandbox that never served: no signal ended it. */
const startFailedStatus = 255
/** How long a guest may take to kill, sync and unmount. */
const haltLimitMs = 3_000

export interface SandboxIdentity {
  id: string
  namespace: string
  pod: PodDescription
  shareTag: string
  logLevel: string
  /** From VMM launch to the agent's call. */
  agentTimeoutMs: number
  /** Default: what the configuration's is. */
  agentLimits?: AgentLimits
}

/**
 * A sandbox: one microVM, its agent, and the containers in it.
 *
 * Start-up (each step owed to one owner, released in the opposite order):
 *
 *   network, share ─▶ VMM and daemons launched ─▶ agent dialled in ─▶ events subscribed ─▶ CreateSandbox answered
 *
 * Teardown: containers → agent connection → VMM and daemons → share → network → state directory and socket.
 */
export class Sandbox {
  #state: SandboxState = { is: 'booting' }
  #agent: AgentClient | undefined
  #owner = new Owner()
  #ready: Promise<AgentClient>
  #stopping: Promise<void> | undefined
  #lastStreamId = 0n
  #forwarding: PortForward | undefined
  #tellDeath: () => void = () => {}
  readonly #death = new Promise<void>(resolve => { this.#tellDeath = resolve })
  #exit: ProcessExit | undefined
  #tellEnd: (exit: ProcessExit) => void = () => {}
  /** Resolves when the VM has ended, for whatever reason. */
  readonly ended = new Promise<ProcessExit>(resolve => { this.#tellEnd = resolve })
  readonly createdAtNs = realtimeNs()
  /** Includes those that Create is still busy with: their init is `added`, and the agent may tell of them. */
  readonly containers = new Map<string, Container>()
  /** Host block devices that containers have. */
  readonly disks: Disks
  /** Volumes that are memory of the guest. */
  readonly volumes: GuestVolumes

  /** Begins start-up at once; `ready` tells how it went. */
  constructor(readonly identity: SandboxIdentity, readonly ports: SandboxPorts) {
    this.disks = new Disks(ports.hypervisor, () => this.liveAgent)
    this.volumes = new GuestVolumes(() => this.liveAgent, ports.log)
    this.#ready = this.#boot()
    // Told to whoever asks, and logged where it happens: no unhandled rejection for want of a first request.
    this.#ready.catch(() => {})
  }

  get state(): SandboxState {
    return this.#state
  }

  /** Whether it serves, or may come to serve. */
  get isUsable(): boolean {
    return this.#state.is === 'booting' || this.#state.is === 'ready'
  }

  /** A pid of the host that stands for every process of the guest: the VMM's. Never 0, even when the VMM is gone. */
  get pid(): number {
    return this.ports.hypervisor.pid || sys.getpid()
  }

  /** A stream id that none has had before. */
  readonly nextStreamId = (): bigint => ++this.#lastStreamId

  /** How long the agent is waited for. */
  get limits(): AgentLimits {
    return this.identity.agentLimits ?? defaultAgentLimits
  }

  /** Opens a port of the guest; the caller owns the connection. Rejects when the guest does not answer in time: its kernel may leave a call open for ever. */
  readonly dial = (port: number): Promise<Fd> => {
    const connection = this.ports.hypervisor.connect(port)
    return within(connection, this.limits.createMs, `connection to port ${port} of the guest`).catch((error: unknown) => {
      // One that comes after all is nobody's.
      connection.then(late => late.close(), () => undefined)
      throw error
    })
  }

  /** The agent, once it is ready. Rejects with what went wrong when it is not, or not any more. */
  async agent(): Promise<AgentClient> {
    if (this.#state.is === 'booting') await this.#ready.catch(() => undefined)
    if (this.#state.is === 'ready' && this.#agent) return this.#agent
    throw this.unavailable()
  }

  /** The agent where one answers now; undefined when the guest is gone or was never there. */
  get liveAgent(): AgentClient | undefined {
    return this.#state.is === 'ready' ? this.#agent : undefined
  }

  /** Resolves with any answer of the agent; at once where there is none that could answer. */
  readonly pulse = async (): Promise<void> => this.liveAgent?.pulse()

  /** Throws Refusal when there is none. */
  container(id: string): Container {
    const container = this.containers.get(id)
    if (!container || container.init.state.is === 'added') throw new Refusal('not-found', `container ${id} does not exist in sandbox ${this.identity.id}`)
    return container
  }

  /** Whom a pid of the host stands for: the pod (the VMM), a container that lives, or nobody of this sandbox. */
  ownerOfPid(pid: number): PidOwner {
    if (pid === this.pid) return { of: 'pod' }
    const container = [...this.containers.values()].find(each => each.pid === pid && each.init.isAlive)
    return container ? { of: 'container', id: container.id } : undefined
  }

  /** The stream `id` from the guest, of whichever process or forwarded port. */
  output(id: bigint): { setTotal(bytes: bigint): void } | undefined {
    for (const container of this.containers.values()) {
      for (const process of container.processes) {
        const output = process.stdio.output(id)
        if (output) return output
      }
    }
    return this.#forwarding?.stream(id)
  }

  /** The error that a request is told for `error`: when the guest was lost meanwhile, how it was lost. */
  async explain(error: unknown): Promise<unknown> {
    if (error instanceof Refusal) return error
    const disconnected = error instanceof AgentError && error.code === Code.Unavailable
    if (disconnected && this.#is('ready')) await within(this.#death, 2 * vmmDeathLagMs, 'verdict on the guest').catch(() => undefined)
    return this.#is('dead') || this.#is('failed') ? this.unavailable() : error
  }

  /** How the VM ended, once it has. */
  get exit(): ProcessExit | undefined {
    return this.#exit
  }

  /**
   * Ends the VM in good order, and with it every process. What the host holds of the containers stays until each is
   * deleted, or `stop`. Idempotent.
   */
  async halt(): Promise<void> {
    if (this.#is('ready')) {
      this.#die(new Fault(`sandbox ${this.identity.id} was stopped`), 0)
      // Whatever the guest has not written yet; one that does not answer is not waited for.
      await within(this.#agent?.destroySandbox() ?? Promise.resolve(), haltLimitMs, 'end of the guest').catch(() => undefined)
    }
    // Start-up notices at its next step and releases what it took.
    if (this.#is('booting')) await this.ports.hypervisor.stop()
    await this.#ready.catch(() => undefined)
    // CNI takes the network down next: nothing of the VM's may be in it then.
    await this.#releaseAll(this.#owner)
  }

  /** Ends everything; resolves when nothing is left on the host. The same promise for every caller. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  async #boot(): Promise<AgentClient> {
    const { hypervisor, share, network, timeline, log } = this.ports
    const owner = new Owner()
    try {
      if (network) owner.own('network', network)
      owner.defer('share', () => share.close())
      owner.defer('hypervisor', () => hypervisor.stop())
      await this.#launch()
      const control = await hypervisor.acceptAgent(this.identity.agentTimeoutMs)
      timeline.mark('agent')
      const agent = owner.own('agent connection', this.ports.agent(control))
      const events = new GuestEvents(this)
      agent.events(event => events.receive(event), error => void this.#lost(error))
      await Promise.race([agent.createSandbox(this.#request()), this.#vmmDeath()])
      timeline.mark('sandbox')
      if (!this.#is('booting')) throw new Fault('the sandbox was shut down while it started')
      network?.follow(hypervisor.pid, {
        attach: nic => hypervisor.attach(nic),
        update: interfaces => agent.updateNetwork({ interfaces }),
      })
      this.#forwarding = network?.forwardPorts({ agent, dial: this.dial, nextStreamId: this.nextStreamId })
      if (this.#forwarding) owner.own('port forwarding', this.#forwarding)
      this.#owner = owner.move()
      this.#agent = agent
      this.#setState({ is: 'ready' })
      void hypervisor.wait().then(() => this.#lost(undefined))
      return agent
    } catch (cause) {
      const error = new Fault(`sandbox ${this.identity.id} did not start`, { cause })
      log.error(story(error))
      // Requests are told at once; whoever stops the sandbox waits for the release as well.
      if (this.#is('booting')) this.#setState({ is: 'failed', error })
      this.#end(startFailedStatus)
      await this.#releaseAll(owner)
      throw error
    }
  }

  /** Starts the VM with the pod's interfaces. Their taps are its own from then on: they go when it goes. */
  async #launch(): Promise<void> {
    const { hypervisor, network, timeline } = this.ports
    const nics = network?.connect() ?? []
    if (nics.length > 0) timeline.mark('network')
    try {
      await hypervisor.launch(nics)
    } finally {
      for (const nic of nics) nic.tap.close()
    }
  }

  /** Rejects when the VMM dies: an answer that will not come must not be waited for. */
  async #vmmDeath(): Promise<never> {
    await this.ports.hypervisor.wait()
    throw new Fault(`the VMM died: ${this.ports.hypervisor.diagnosis()}`)
  }

  #request(): Parameters<AgentClient['createSandbox']>[0] {
    const entropy = new Uint8Array(64)
    sys.getrandom(entropy)
    return {
      sandboxId: this.identity.id,
      hostname: this.identity.pod.hostname,
      realtimeNs: realtimeNs(),
      entropy,
      shareTag: this.identity.shareTag,
      dns: [],
      sysctls: this.identity.pod.sysctls,
      etc: this.identity.pod.etc,
      logLevel: this.identity.logLevel,
      interfaces: this.ports.network?.interfaces ?? [],
      ...agentMappings(this.identity.pod.idMappings),
    }
  }

  /** VMM or agent is gone: tells why, ends every process, and stops what is left of the VM. */
  async #lost(error: Error | undefined): Promise<void> {
    if (!this.#is('ready')) return
    const { hypervisor } = this.ports
    const died = await within(hypervisor.wait(), vmmDeathLagMs, 'death of the VMM').then(() => true, () => false)
    if (!this.#is('ready')) return
    const what = died ? 'the VMM died' : 'the agent in the guest is gone'
    await this.giveUp(new Fault(`${what}: ${hypervisor.diagnosis()}`, error === undefined ? {} : { cause: error }))
  }

  /** Ends a VM whose guest is gone, or is not believed any more; every process counts as killed, and requests are told `fault`. */
  async giveUp(fault: Error): Promise<void> {
    if (!this.#is('ready')) return
    const { hypervisor, log } = this.ports
    log.error(story(fault))
    this.#die(fault, killedStatus)
    // Calls under way fail now, not at their timeouts.
    this.#agent?.[Symbol.dispose]()
    await hypervisor.stop().catch((cause: unknown) => log.error(`stopping what is left of the VM: ${story(cause)}`))
  }

  /** ready → dead: every process has ended for containerd, and the sandbox with `status`. */
  #die(error: Error, status: number): void {
    this.#setState({ is: 'dead', error })
    this.#tellDeath()
    this.#killAll()
    this.#end(status)
  }

  /** The first end is the one that is told. */
  #end(status: number): void {
    this.#exit ??= { status, atNs: realtimeNs() }
    this.#tellEnd(this.#exit)
  }

  async #stop(): Promise<void> {
    const booting = this.#state.is === 'booting'
    this.#setState({ is: 'stopping' })
    this.#killAll()
    // Start-up notices at its next step and releases what it took; the VMM's end makes that step come now.
    if (booting) await this.ports.hypervisor.stop()
    await this.#ready.catch(() => undefined)
    for (const container of this.containers.values()) await this.#releaseAll(container)
    this.volumes.close()
    await this.#releaseAll(this.#owner)
    await this.#releaseAll({ release: async () => this.ports.releaseState() })
    this.#setState({ is: 'stopped' })
    this.#end(0)
  }

  /** The pod's first container ends last, as when Kubernetes stops it. */
  #killAll(): void {
    for (const container of [...this.containers.values()].reverse()) container.killed({ status: killedStatus, atNs: realtimeNs() })
  }

  async #releaseAll(owed: { release(): Promise<void> }): Promise<void> {
    await owed.release().catch((error: unknown) => this.ports.log.error(`teardown: ${story(error)}`))
  }

  /** Why the sandbox answers nothing, for a request that finds it so. */
  unavailable(): Refusal {
    switch (this.#state.is) {
      case 'failed':
      case 'dead':
        return new Refusal('unavailable', this.#state.error.message, { cause: this.#state.error.cause })
      default:
        return new Refusal('unavailable', `sandbox ${this.identity.id} is ${this.#state.is}`)
    }
  }

  /** Asked again after each await: the state may have moved meanwhile. */
  #is(name: SandboxStateName): boolean {
    return this.#state.is === name
  }

  #setState(to: SandboxState): void {
    this.#state = move(this.#state, to)
  }
}
