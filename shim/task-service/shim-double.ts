import type { Fd } from '../../native/ts/fd.ts'
import { SandboxDefinition } from '../../protocol/gen/sandbox.ts'
import { TaskDefinition } from '../../protocol/gen/task.ts'
import { connect, createClient } from '../../protocol/ttrpc/client.ts'
import { Server } from '../../protocol/ttrpc/server.ts'
import { AgentClient } from '../agent-client.ts'
import { AgentDouble, memoryPair } from '../agent-double.ts'
import { type AgentLimits, defaultAgentLimits } from '../agent-limits.ts'
import type { Hypervisor, VmmExit } from '../hypervisor/hypervisor.ts'
import { silentLog } from '../log.ts'
import { configFrom } from '../config/config.ts'
import { noLimits } from '../resources/limits.ts'
import { HostCpuset } from '../resources/host-cpuset.ts'
import { PodSize } from '../resources/pod-size.ts'
import { registerSandboxService } from '../sandbox-service/service.ts'
import { OnlySandbox } from '../sandbox/only-sandbox.ts'
import type { PodDescription } from '../sandbox/pod.ts'
import { anyPod } from '../sandbox/pod-double.ts'
import type { SandboxPorts } from '../sandbox/ports.ts'
import { Sandbox } from '../sandbox/sandbox.ts'
import type { Share } from '../storage/share.ts'
import { StreamBroker } from '../streaming/broker.ts'
import { Timeline } from '../timeline.ts'
import { registerTaskService, toRpcError } from './service.ts'

/** A container as containerd describes it, with all it must have. */
export const spec = {
  ociVersion: '1.1.0', root: { path: 'rootfs' }, process: { args: ['true'], cwd: '/', user: { uid: 0, gid: 0 } },
  linux: { namespaces: ['pid', 'network', 'ipc', 'uts', 'mount'].map(type => ({ type })) },
}

/** A shim without host and guest: containerd's client at one end, an agent double at the other. */
export class Shim {
  readonly told: string[] = []
  readonly share = new Set<string>()
  exited = false
  killVmm: (exit: VmmExit) => void = () => {}
  readonly only: OnlySandbox
  readonly task
  readonly api

  constructor(readonly agent: AgentDouble = new AgentDouble(), sandboxId = 's', { ownKernel = true, withPod = true, agentLimits = defaultAgentLimits } = {}) {
    const vmm = new Promise<VmmExit>(resolve => { this.killVmm = resolve })
    const hypervisor: Hypervisor = {
      ownKernel, pid: 4711, launch: async () => {}, acceptAgent: async () => ({}) as Fd, connect: async () => ({}) as Fd, resize: async size => size,
      attach: async () => ({ pciPath: '10.0/00.0', detach: async () => {} }),
      pause: async () => {}, resume: async () => {}, stop: async () => {}, wait: () => vmm, diagnosis: () => 'qemu said nothing',
    }
    const share = {
      addRootfs: (id: string) => { this.share.add(id); return `/guest/${id}` },
      addBind: () => '/guest/bind', remove: (id: string) => { this.share.delete(id) }, close: () => {},
    } as unknown as Share // what the task service uses of it
    const events = {
      publish: (name: string, event: { containerId: string; id?: string; execId?: string; exitStatus?: number }) => {
        this.told.push([name, event.containerId, event.execId ?? event.id, event.exitStatus].filter(part => part !== undefined).join(' '))
      },
    }
    this.only = new OnlySandbox({ id: sandboxId, make: pod => this.#make(pod, { hypervisor, share, events }, agentLimits), release: () => { this.told.push('released') } })
    if (withPod) this.only.create(anyPod)
    const [client, server] = memoryPair()
    const services = new Server({ toRpcError })
    const { only } = this
    const stop = (): Promise<void> => only.stop()
    const exit = (): void => { this.exited = true }
    registerTaskService(services, { get sandbox() { return only.sandbox }, get made() { return only.made }, events, broker: new StreamBroker(), namespace: 'n', env: [], stop, exit })
    registerSandboxService(services, { only, log: silentLog, exit })
    services.serve(server)
    const connection = connect(client)
    this.api = createClient(SandboxDefinition, connection)
    this.task = createClient(TaskDefinition, connection)
  }

  get sandbox(): Sandbox {
    return this.only.sandbox
  }

  async create(id = 'c1', bundle = '/b'): Promise<void> {
    await this.task.create({ id, bundle, rootfs: [{ type: 'bind', source: '/r', target: '', options: [] }] })
  }

  async running(id = 'c1', bundle = '/b'): Promise<void> {
    await this.create(id, bundle)
    await this.task.start({ id })
  }

  #make(pod: PodDescription, ports: Pick<SandboxPorts, 'hypervisor' | 'share' | 'events'>, agentLimits: AgentLimits): Sandbox {
    return new Sandbox({ id: this.only.id, namespace: 'n', pod, shareTag: 't', logLevel: 'info', agentTimeoutMs: 1000, agentLimits }, {
      ...ports, size: new PodSize(noLimits, configFrom([]).hypervisor), cpuset: new HostCpuset(() => {}), log: silentLog, timeline: new Timeline(), releaseState: () => {},
      agent: () => {
        const [ours, theirs] = memoryPair()
        this.agent.serve(theirs)
        return new AgentClient(ours, agentLimits)
      },
    })
  }
}
