import type { Fd } from '../../native/ts/fd.ts'
import { TaskDefinition } from '../../protocol/gen/task.ts'
import { connect, createClient } from '../../protocol/ttrpc/client.ts'
import { AgentClient } from '../agent-client.ts'
import { AgentDouble, memoryPair } from '../agent-double.ts'
import type { Hypervisor, VmmExit } from '../hypervisor/hypervisor.ts'
import { silentLog } from '../log.ts'
import { configFrom } from '../config/config.ts'
import { noLimits } from '../resources/limits.ts'
import { PodSize } from '../resources/pod-size.ts'
import { Sandbox } from '../sandbox/sandbox.ts'
import type { Share } from '../storage/share.ts'
import { Timeline } from '../timeline.ts'
import { taskServer } from './service.ts'

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
  readonly sandbox: Sandbox
  readonly task

  constructor(readonly agent: AgentDouble = new AgentDouble(), sandboxId = 's', ownKernel = true) {
    const vmm = new Promise<VmmExit>(resolve => { this.killVmm = resolve })
    const hypervisor: Hypervisor = {
      ownKernel, pid: 4711, launch: async () => {}, acceptAgent: async () => ({}) as Fd, connect: async () => ({}) as Fd, resize: async size => size,
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
    this.sandbox = new Sandbox({ id: sandboxId, namespace: 'n', hostname: '', sysctls: {}, shareTag: 't', logLevel: 'info', agentTimeoutMs: 1000 }, {
      hypervisor, share, events, size: new PodSize(noLimits, configFrom([]).hypervisor), log: silentLog, timeline: new Timeline(), releaseState: () => {},
      agent: () => {
        const [ours, theirs] = memoryPair()
        this.agent.serve(theirs)
        return new AgentClient(ours)
      },
    })
    const [client, server] = memoryPair()
    taskServer({ sandbox: this.sandbox, events, namespace: 'n', env: [], exit: () => { this.exited = true } }).serve(server)
    this.task = createClient(TaskDefinition, connect(client))
  }

  async create(id = 'c1', bundle = '/b'): Promise<void> {
    await this.task.create({ id, bundle, rootfs: [{ type: 'bind', source: '/r', target: '', options: [] }] })
  }

  async running(id = 'c1', bundle = '/b'): Promise<void> {
    await this.create(id, bundle)
    await this.task.start({ id })
  }
}
