import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { fake } from '../../native/ts/fake/sys.ts'
import type { CreateContainerRequest } from '../../protocol/gen/agent.ts'
import { packJson } from '../../protocol/any.ts'
import { AgentDouble } from '../agent-double.ts'
import { Shim, spec } from './shim-double.ts'

/** A bundle as CRI makes them. */
function bundle(type: 'sandbox' | 'container', pidPath?: string): string {
  const path = `/${type}${pidPath?.replaceAll('/', '.') ?? ''}`
  const namespaces = spec.linux.namespaces.map(namespace => (namespace.type === 'pid' && pidPath !== undefined ? { type: 'pid', path: pidPath } : namespace))
  fake.nodes.set(path, { kind: 'directory', mode: 0o755 })
  fake.put(`${path}/config.json`, JSON.stringify({ ...spec, linux: { namespaces }, annotations: { 'io.kubernetes.cri.container-type': type, 'io.kubernetes.cri.sandbox-id': 'pod' } }))
  return path
}

/** A pod that has started, and the requests for its containers that the agent got. */
async function pod(): Promise<{ shim: Shim; asked: Partial<CreateContainerRequest>[] }> {
  const asked: Partial<CreateContainerRequest>[] = []
  const shim = new Shim(new AgentDouble({ createContainer: request => { asked.push(request); return { pid: 2 } } }), 'pod')
  await shim.running('pod', bundle('sandbox'))
  return { shim, asked }
}

beforeEach(() => fake.reset())
afterEach(() => fake.reset())

describe('a pod', () => {
  it('has a pause container that asks nothing of the guest, mounts nothing and stands for the VM', async () => {
    const { shim, asked } = await pod()
    expect(asked).toEqual([])
    expect([...shim.share]).toEqual([])
    expect(await shim.task.state({ id: 'pod' })).toMatchObject({ pid: 4711 })
    expect(await shim.task.pids({ id: 'pod' })).toMatchObject({ processes: [{ pid: 4711 }] })
    await shim.task.kill({ id: 'pod', signal: 9, all: true })
    expect(await shim.task.wait({ id: 'pod' })).toMatchObject({ exitStatus: 137 })
    await shim.task.delete({ id: 'pod' })
    await shim.task.shutdown({ id: 'pod' })
    expect(shim.told).toEqual(['create pod', 'start pod', 'exit pod pod 137', 'delete pod pod 137'])
    expect(shim.agent.calls).toEqual(['events', 'createSandbox'])
    expect(shim.exited).toBe(true)
  })

  it.each([[15, 0], [2, 0]])('ends pause at signal %i with status %i, and at no other', async (signal, exitStatus) => {
    const { shim } = await pod()
    await shim.task.kill({ id: 'pod', signal: 1 })
    expect(shim.told).toEqual(['create pod', 'start pod'])
    await shim.task.kill({ id: 'pod', signal })
    expect(await shim.task.wait({ id: 'pod' })).toMatchObject({ exitStatus })
  })

  it('refuses an exec in pause and says why', async () => {
    const { shim } = await pod()
    const exec = shim.task.exec({ id: 'pod', execId: 'e', spec: packJson('process', { args: ['sh'], cwd: '/', user: { uid: 0, gid: 0 } }) })
    await expect(exec).rejects.toThrow('exec is not possible in the pause container pod')
  })

  it('goes on when its containers end, and they come again', async () => {
    const { shim } = await pod()
    for (const id of ['c1', 'c2']) {
      await shim.running(id, bundle('container'))
      shim.agent.exit(id, '', 1)
      await shim.task.wait({ id })
      await shim.task.delete({ id })
      await shim.task.shutdown({ id })
      expect(shim.exited).toBe(false)
    }
    expect(shim.sandbox.state.is).toBe('ready')
    expect(shim.agent.calls).toEqual(expect.arrayContaining(['deleteContainer c1', 'deleteContainer c2']))
  })

  it('gives each container a pid of its own, and reads shared PID namespaces from them', async () => {
    const { shim, asked } = await pod()
    await shim.running('c1', bundle('container'))
    const { pid } = await shim.task.state({ id: 'c1' })
    expect(pid).not.toBe(4711)
    await shim.running('shared', bundle('container', '/proc/4711/ns/pid'))
    await shim.running('debugger', bundle('container', `/proc/${pid}/ns/pid`))
    expect(asked.map(({ podPidNamespace, targetContainerId }) => [podPidNamespace, targetContainerId])).toEqual([[false, ''], [true, ''], [false, 'c1']])
    await expect(shim.create('stray', bundle('container', '/proc/1/ns/pid'))).rejects.toThrow('is not one of a running container of this pod')
  })

  it("ends a container's process of the host with it, and the container with that process", async () => {
    const { shim } = await pod()
    await shim.running('c1', bundle('container'))
    await shim.running('c2', bundle('container'))
    const { pid } = await shim.task.state({ id: 'c2' })
    const alive = (): number[] => [...fake.processes].filter(([, process]) => !process.exit).map(([number]) => number)
    shim.agent.exit('c1', '', 0)
    await shim.task.wait({ id: 'c1' })
    await expect.poll(alive).toEqual([pid])
    fake.exitProcess(pid, 9, 2)
    await expect.poll(() => shim.agent.calls).toContain('signalProcess c2')
  })

  it('ends pause last when the VM dies', async () => {
    const { shim } = await pod()
    await shim.running('c1', bundle('container'))
    shim.killVmm({ status: 137, signal: 9, text: 'qemu was killed by SIGKILL' })
    await shim.task.wait({ id: 'pod' })
    expect(shim.told.slice(-2)).toEqual(['exit c1 c1 137', 'exit pod pod 137'])
  })
})
