import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { fake } from '../../native/ts/fake/sys.ts'
import { Status } from '../../protocol/gen/process.ts'
import { packJson } from '../../protocol/any.ts'
import { Code, RpcError } from '../../protocol/ttrpc/status.ts'
import { AgentDouble } from '../agent-double.ts'
import { Shim, spec } from './shim-double.ts'

const refused = (code: Code, text: string | RegExp): unknown => expect.objectContaining({ code, message: typeof text === 'string' ? expect.stringContaining(text) : expect.stringMatching(text) })
const turns = async (): Promise<void> => { for (let turn = 0; turn < 50; turn++) await Promise.resolve() }

beforeEach(() => {
  fake.reset()
  fake.nodes.set('/b', { kind: 'directory', mode: 0o755 })
  fake.put('/b/config.json', JSON.stringify(spec))
})
afterEach(() => fake.reset())

describe('task service', () => {
  it('runs a container from create to shutdown, with events in the order of the contract', async () => {
    const shim = new Shim()
    await shim.running()
    const { pid } = await shim.task.state({ id: 'c1' })
    expect(await shim.task.state({ id: 'c1' })).toMatchObject({ status: Status.RUNNING, pid })
    const waiting = shim.task.wait({ id: 'c1' })
    shim.agent.exit('c1', '', 3)
    expect(await waiting).toMatchObject({ exitStatus: 3 })
    expect(await shim.task.delete({ id: 'c1' })).toMatchObject({ exitStatus: 3, pid })
    await shim.task.shutdown({ id: 'c1' })
    expect(shim.told).toEqual(['create c1', 'start c1', 'exit c1 c1 3', 'delete c1 c1 3'])
    expect(shim.agent.calls).toEqual(expect.arrayContaining(['createSandbox', 'createContainer c1', 'startContainer c1', 'deleteContainer c1']))
    expect([...shim.share]).toEqual([])
    expect(shim.exited).toBe(true)
  })

  it("ends the VM with the sandbox's own container when that is the last one", async () => {
    const shim = new Shim(new AgentDouble(), 'c1')
    await shim.running('c1')
    await shim.running('c2')
    for (const id of ['c2', 'c1']) {
      shim.agent.exit(id, '', 0)
      await shim.task.wait({ id })
      await shim.task.delete({ id })
    }
    expect(shim.agent.calls.filter(call => call.startsWith('delete'))).toEqual(['deleteContainer c2'])
    await expect.poll(() => shim.sandbox.state.is).toBe('stopped')
    await shim.task.shutdown({ id: 'c1' })
    expect(shim.exited).toBe(true)
  })

  it('asks the agent to delete the last container too where no VM takes its cgroup along', async () => {
    const shim = new Shim(new AgentDouble(), 'c1', { ownKernel: false })
    await shim.running('c1')
    shim.agent.exit('c1', '', 0)
    await shim.task.wait({ id: 'c1' })
    await shim.task.delete({ id: 'c1' })
    expect(shim.agent.calls.filter(call => call.startsWith('delete'))).toEqual(['deleteContainer c1'])
  })

  it('tells start before exit when the agent tells the exit before it answers the start', async () => {
    const agent: AgentDouble = new AgentDouble({ startContainer: () => { agent.exit('c1', '', 0); return new Promise(resolve => setTimeout(() => resolve({}), 20)) } })
    const shim = new Shim(agent)
    await shim.running()
    await shim.task.wait({ id: 'c1' })
    expect(shim.told).toEqual(['create c1', 'start c1', 'exit c1 c1 0'])
  })

  it('adds, starts and ends an exec in order', async () => {
    const agent: AgentDouble = new AgentDouble({ execProcess: () => { agent.exit('c1', 'e1', 7); return { pid: 3 } } })
    const shim = new Shim(agent)
    await shim.running()
    await shim.task.exec({ id: 'c1', execId: 'e1', spec: packJson('process', { args: ['true'], cwd: '/', user: { uid: 0, gid: 0 } }) })
    await shim.task.start({ id: 'c1', execId: 'e1' })
    expect(await shim.task.wait({ id: 'c1', execId: 'e1' })).toMatchObject({ exitStatus: 7 })
    await shim.task.delete({ id: 'c1', execId: 'e1' })
    expect(shim.told.slice(2)).toEqual(['exec-added c1 e1', 'exec-started c1 e1', 'exit c1 e1 7'])
    await expect(shim.task.state({ id: 'c1', execId: 'e1' })).rejects.toEqual(refused(Code.NotFound, 'exec e1 does not exist'))
  })

  it('releases everything when the agent cannot create the container, and passes its words on', async () => {
    const shim = new Shim(new AgentDouble({ createContainer: () => { throw new RpcError(Code.NotFound, 'exec: "nope": executable file not found\n in $PATH') } }))
    await expect(shim.create()).rejects.toEqual(refused(Code.NotFound, /^exec: "nope": executable file not found {1,2}in \$PATH$/))
    expect([...shim.share]).toEqual([])
    expect(shim.told).toEqual([])
    expect(shim.agent.calls.at(-1)).toBe('deleteContainer c1')
    await expect(shim.task.state({ id: 'c1' })).rejects.toEqual(refused(Code.NotFound, 'container c1 does not exist'))
    await shim.task.shutdown({ id: 'c1' })
    expect(shim.exited).toBe(true)
  })

  it('names the cause when config.json is missing or malformed', async () => {
    const shim = new Shim()
    await expect(shim.task.create({ id: 'c1', bundle: '/none' })).rejects.toEqual(refused(Code.Unknown, '/none/config.json is missing; the bundle must hold'))
    fake.put('/b/config.json', '{ "ociVersion": ')
    await expect(shim.create()).rejects.toEqual(refused(Code.InvalidArgument, /config.json.*JSON/))
  })

  it('ends every process with 137 when the VMM dies, execs first, and stays for delete and shutdown', async () => {
    const shim = new Shim(new AgentDouble(), 'c1')
    await shim.running()
    await shim.task.exec({ id: 'c1', execId: 'e1', spec: packJson('process', { args: ['sleep'], cwd: '/', user: { uid: 0, gid: 0 } }) })
    await shim.task.start({ id: 'c1', execId: 'e1' })
    shim.killVmm({ status: 137, signal: 9, text: 'qemu was killed by SIGKILL' })
    expect(await shim.task.wait({ id: 'c1' })).toMatchObject({ exitStatus: 137 })
    expect(shim.told.slice(-2)).toEqual(['exit c1 e1 137', 'exit c1 c1 137'])
    expect(await shim.task.pids({ id: 'c1' })).toMatchObject({ processes: [{ pid: 4711 }] })
    await shim.task.delete({ id: 'c1' })
    await shim.task.shutdown({ id: 'c1' })
    expect(shim.exited).toBe(true)
  })

  it('fails a call that the agent never answers once the VMM is dead', async () => {
    const shim = new Shim(new AgentDouble({ startContainer: () => new Promise(() => {}) }))
    await shim.create()
    const starting = shim.task.start({ id: 'c1' }).catch((error: unknown) => error)
    await turns()
    shim.killVmm({ status: 137, signal: 9, text: 'qemu was killed by SIGKILL' })
    expect(await starting).toEqual(refused(Code.Unavailable, 'the VMM died: qemu said nothing'))
    expect(await shim.task.wait({ id: 'c1' })).toMatchObject({ exitStatus: 137 })
  })

  it('believes no event that names what does not exist', async () => {
    const shim = new Shim()
    await shim.running()
    shim.agent.exit('other', '', 0)
    shim.agent.exit('c1', 'ghost', 0)
    shim.agent.exit('c1', '', 4000)
    shim.agent.tell({ $case: 'oom', value: { containerId: 'other' } })
    shim.agent.tell({ $case: 'streamEnd', value: { streamId: 99n, bytes: 1n } })
    shim.agent.tell({ $case: 'oom', value: { containerId: 'c1' } })
    await expect.poll(() => shim.told.at(-1)).toBe('oom c1')
    expect(shim.told).toEqual(['create c1', 'start c1', 'oom c1'])
    expect(await shim.task.state({ id: 'c1' })).toMatchObject({ status: Status.RUNNING })
  })

  it('shuts down only when no container is left', async () => {
    const shim = new Shim()
    await shim.running('c1')
    await shim.create('c2')
    await shim.task.shutdown({ id: 'c1' })
    expect(shim.exited).toBe(false)
    expect(await shim.task.connect({ id: 'c1' })).toMatchObject({ taskPid: 4711 })
  })

  it('shuts down when containerd gives up the task that is still being created, and not for another', async () => {
    const shim = new Shim(new AgentDouble({ createContainer: () => new Promise(() => {}) }))
    const creating = shim.create('c1').catch((error: unknown) => error)
    await expect.poll(() => shim.agent.calls).toContain('createContainer c1')
    await shim.task.shutdown({ id: 'c2' })
    expect(shim.exited).toBe(false)
    await shim.task.shutdown({ id: 'c1' })
    expect(shim.exited).toBe(true)
    expect(await creating).toBeInstanceOf(RpcError)
    expect([...shim.share]).toEqual([])
  })

  it('pauses, resumes and says so in State', async () => {
    const shim = new Shim()
    await shim.running()
    await shim.task.pause({ id: 'c1' })
    expect(await shim.task.state({ id: 'c1' })).toMatchObject({ status: Status.PAUSED })
    await expect(shim.task.pause({ id: 'c1' })).rejects.toEqual(refused(Code.FailedPrecondition, 'is paused already'))
    await shim.task.resume({ id: 'c1' })
    expect(shim.told.slice(-2)).toEqual(['paused c1', 'resumed c1'])
  })

  it.each<[string, Code, string, (shim: Shim) => Promise<unknown>]>([
    ['a container of that id', Code.AlreadyExists, 'container c1 already exists', shim => shim.create()],
    ['an id that is a path', Code.InvalidArgument, 'is not an identifier', shim => shim.create('../x')],
    ['a start of what runs', Code.FailedPrecondition, 'cannot be started: it is running', shim => shim.task.start({ id: 'c1' })],
    ['a delete of what runs', Code.FailedPrecondition, 'cannot be deleted: it is running', shim => shim.task.delete({ id: 'c1' })],
    ['a signal that does not exist', Code.InvalidArgument, 'signal 99 does not exist', shim => shim.task.kill({ id: 'c1', signal: 99 })],
    ['an unknown exec', Code.NotFound, 'exec e9 does not exist', shim => shim.task.kill({ id: 'c1', execId: 'e9', signal: 9 })],
    ['a checkpoint', Code.Unimplemented, 'checkpointing a container is not supported', shim => shim.task.checkpoint({ id: 'c1' })],
  ])('refuses %s', async (_what, code, text, request) => {
    const shim = new Shim()
    await shim.running()
    await expect(request(shim)).rejects.toEqual(refused(code, text))
  })
})
