import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { fake } from '../../native/ts/fake/sys.ts'
import { packAny } from '../../protocol/any.ts'
import type { CreateSandboxRequest } from '../../protocol/gen/agent.ts'
import { NamespaceMode, PodSandboxConfig } from '../../protocol/gen/cri.ts'
import { Code } from '../../protocol/ttrpc/status.ts'
import { AgentDouble } from '../agent-double.ts'
import { Shim, spec } from '../task-service/shim-double.ts'

const sandboxId = 'pod'
const namespaceOptions = { network: NamespaceMode.POD, pid: NamespaceMode.CONTAINER, ipc: NamespaceMode.POD, targetId: '', usernsOptions: undefined }

function options(change: Partial<PodSandboxConfig> = {}) {
  return packAny('runtime.v1.PodSandboxConfig', PodSandboxConfig, { hostname: 'web', dnsConfig: { servers: ['10.0.0.10'], searches: ['a', 'b'], options: ['ndots:5'] }, ...change })
}

/** A shim that containerd has started for the Sandbox API, and what the agent was asked to make. */
function shim(): { shim: Shim; asked: CreateSandboxRequest[] } {
  const asked: CreateSandboxRequest[] = []
  const agent = new AgentDouble({ createSandbox: request => { asked.push(request); return {} } })
  return { shim: new Shim(agent, sandboxId, { withPod: false }), asked }
}

beforeEach(() => {
  fake.reset()
  fake.put('/proc/sys/kernel/hostname', 'node\n')
  fake.put('/etc/hosts', '127.0.0.1 localhost\n')
  fake.nodes.set('/b', { kind: 'directory', mode: 0o755 })
  fake.put('/b/config.json', JSON.stringify(spec))
})
afterEach(() => fake.reset())

describe('sandbox service', () => {
  it('makes the sandbox that CRI describes and serves until it is shut down', async () => {
    const { shim: { api, task, ...rest }, asked } = shim()
    expect(await task.connect({ id: sandboxId })).toMatchObject({ taskPid: expect.any(Number) })
    await expect(task.state({ id: 'c1' })).rejects.toMatchObject({ code: Code.NotFound })
    await api.createSandbox({ sandboxId, options: options(), netnsPath: '/run/netns/x' })
    expect(await api.startSandbox({ sandboxId })).toMatchObject({ pid: 4711 })
    expect(asked[0]).toMatchObject({ hostname: 'web', etc: { 'hostname': 'web\n', 'hosts': '127.0.0.1 localhost\n', 'resolv.conf': 'search a b\nnameserver 10.0.0.10\noptions ndots:5\n' } })
    expect(asked[0]?.sysctls).toMatchObject({ 'net.ipv4.ip_unprivileged_port_start': '0' })
    expect(await api.sandboxStatus({ sandboxId })).toMatchObject({ state: 'SANDBOX_READY', pid: 4711 })
    expect(await task.pids({ id: sandboxId })).toMatchObject({ processes: [{ pid: 4711 }] })
    const waiting = api.waitSandbox({ sandboxId })
    await api.stopSandbox({ sandboxId })
    expect(await waiting).toMatchObject({ exitStatus: 0 })
    expect(rest.agent.calls).toContain('destroySandbox')
    expect(await api.sandboxStatus({ sandboxId })).toMatchObject({ state: 'SANDBOX_NOTREADY' })
    await api.shutdownSandbox({ sandboxId })
    expect(rest.only.sandbox.state.is).toBe('stopped')
  })

  it('outlives its containers, which are told to have been killed when it is stopped, and can still be deleted', async () => {
    const { shim: made } = shim()
    await made.api.createSandbox({ sandboxId, options: options() })
    await made.api.startSandbox({ sandboxId })
    await made.running('c1')
    made.agent.exit('c1', '', 0)
    await made.task.wait({ id: 'c1' })
    await made.task.delete({ id: 'c1' })
    await made.task.shutdown({ id: 'c1' })
    expect(made.exited).toBe(false)
    await made.running('c2')
    await made.api.stopSandbox({ sandboxId })
    expect(await made.task.wait({ id: 'c2' })).toMatchObject({ exitStatus: 137 })
    expect(await made.task.delete({ id: 'c2' })).toMatchObject({ exitStatus: 137 })
    await made.api.shutdownSandbox({ sandboxId })
    expect([...made.share]).toEqual([])
    expect(made.exited).toBe(true)
  })

  it('tells WaitSandbox of the death of the VM', async () => {
    const { shim: made } = shim()
    await made.api.createSandbox({ sandboxId, options: options() })
    await made.api.startSandbox({ sandboxId })
    made.killVmm({ status: 137, signal: 9, text: 'qemu was killed by SIGKILL' })
    expect(await made.api.waitSandbox({ sandboxId })).toMatchObject({ exitStatus: 137 })
    await expect(made.api.pingSandbox({ sandboxId })).rejects.toMatchObject({ code: Code.Unavailable, message: expect.stringContaining('the VMM died') })
  })

  it('takes new limits of the pod in both forms, and refuses what is neither', async () => {
    const { shim: made } = shim()
    await made.api.createSandbox({ sandboxId, options: options() })
    await made.api.startSandbox({ sandboxId })
    const oci = { typeUrl: 'types.containerd.io/opencontainers/runtime-spec/1/LinuxResources', value: new TextEncoder().encode('{"memory":{"limit":67108864}}') }
    await expect(made.api.updateSandbox({ sandboxId, resources: oci })).resolves.toEqual({})
    await expect(made.api.updateSandbox({ sandboxId })).resolves.toEqual({})
    await expect(made.api.updateSandbox({ sandboxId, resources: { typeUrl: 'other', value: new Uint8Array() } })).rejects.toThrow('resources of type other')
  })

  it('gives back what start prepared when no sandbox was created', async () => {
    const { shim: made } = shim()
    await made.api.shutdownSandbox({ sandboxId })
    expect(made.told).toEqual(['released'])
    expect(made.exited).toBe(true)
  })

  it.each([['network', 'hostNetwork: true'], ['pid', 'hostPID: true'], ['ipc', 'hostIPC: true']])('refuses the %s namespace of the host', async (type, field) => {
    const { shim: made } = shim()
    const linux = { cgroupParent: '', sysctls: {}, overhead: undefined, resources: undefined, securityContext: { privileged: false, namespaceOptions: { ...namespaceOptions, [type]: NamespaceMode.NODE } } }
    await expect(made.api.createSandbox({ sandboxId, options: options({ linux }) })).rejects.toThrow(field)
    expect(made.only.made).toBeUndefined()
  })

  it('refuses a pod with a user namespace that has no ids for groups', async () => {
    const { shim: made } = shim()
    const usernsOptions = { mode: NamespaceMode.POD, uids: [{ hostId: 100000, containerId: 0, length: 65536 }], gids: [] }
    const linux = { cgroupParent: '', sysctls: {}, overhead: undefined, resources: undefined, securityContext: { privileged: false, namespaceOptions: { ...namespaceOptions, usernsOptions } } }
    await expect(made.api.createSandbox({ sandboxId, options: options({ linux }) })).rejects.toThrow('no mappings')
  })

  it('refuses options of another kind, a second creation, and another sandbox', async () => {
    const { shim: { api } } = shim()
    await expect(api.createSandbox({ sandboxId, options: { typeUrl: 'x.y', value: new Uint8Array(0) } })).rejects.toMatchObject({ code: Code.InvalidArgument })
    await expect(api.createSandbox({ sandboxId: 'other', options: options() })).rejects.toMatchObject({ code: Code.NotFound })
    await api.createSandbox({ sandboxId, options: options() })
    await expect(api.createSandbox({ sandboxId, options: options() })).rejects.toMatchObject({ code: Code.AlreadyExists })
  })
})
