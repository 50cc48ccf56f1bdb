import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { fake } from '../../native/ts/fake/sys.ts'
import { packJson } from '../../protocol/any.ts'
import { IoStats, StatsContainerResponse } from '../../protocol/gen/agent.ts'
import { Status } from '../../protocol/gen/process.ts'
import { encode } from '../../protocol/message.ts'
import { dataBytesMax, MessageType, encodeFrame } from '../../protocol/ttrpc/frame.ts'
import { encodeAnswer } from '../../protocol/ttrpc/envelope.ts'
import { Code, RpcError } from '../../protocol/ttrpc/status.ts'
import { AgentClient } from '../agent-client.ts'
import { AgentDouble, memoryPair } from '../agent-double.ts'
import { agentAnswerBytesMax, defaultAgentLimits } from '../agent-limits.ts'
import { resizeAround } from '../resources/resize.ts'
import { silentLog } from '../log.ts'
import { Shim, spec } from './shim-double.ts'
import { metrics } from './stats.ts'

/** A guest that lies, answers nothing or too much: what the shim must not do for it. */
const limits = { ...defaultAgentLimits, createMs: 200, callMs: 50, killMs: 20, outputMs: 50 }
const exec = (execId: string) => ({ id: 'c1', execId, spec: packJson('process', { args: ['true'], cwd: '/', user: { uid: 0, gid: 0 } }) })

beforeEach(() => {
  fake.reset()
  fake.nodes.set('/b', { kind: 'directory', mode: 0o755 })
  fake.put('/b/config.json', JSON.stringify(spec))
})
afterEach(() => fake.reset())

describe('SIGKILL', () => {
  it.each([
    ['never tells the end', () => ({})],
    ['never answers', () => new Promise<object>(() => {})],
    ['refuses', () => { throw new RpcError(Code.NotFound, 'no such process') }],
  ])('ends the VM of a guest that %s', async (_what, signalProcess) => {
    const shim = new Shim(new AgentDouble({ signalProcess }), 's', { agentLimits: limits })
    await shim.running()
    await shim.task.kill({ id: 'c1', signal: 9 }).catch(() => undefined)
    expect(await shim.task.wait({ id: 'c1' })).toMatchObject({ exitStatus: 137 })
    expect(shim.sandbox.state).toMatchObject({ is: 'dead', error: { message: 'container c1 did not end within 20 ms of SIGKILL' } })
    expect(await shim.task.delete({ id: 'c1' })).toMatchObject({ exitStatus: 137 })
  })

  it('lets a container that was never started be deleted all the same', async () => {
    const shim = new Shim(new AgentDouble({ signalProcess: () => new Promise(() => {}) }), 's', { agentLimits: limits })
    await shim.create()
    expect(await shim.task.delete({ id: 'c1' })).toMatchObject({ exitStatus: 137 })
    expect([...shim.share]).toEqual([])
  })

  it('of an exec whose end is never told lets the exec count as killed, and the container run on', async () => {
    const shim = new Shim(new AgentDouble(), 's', { agentLimits: limits })
    await shim.running()
    await shim.task.exec(exec('e1'))
    await shim.task.start({ id: 'c1', execId: 'e1' })
    await shim.task.kill({ id: 'c1', execId: 'e1', signal: 9 })
    expect(await shim.task.wait({ id: 'c1', execId: 'e1' })).toMatchObject({ exitStatus: 137 })
    expect(await shim.task.state({ id: 'c1' })).toMatchObject({ status: Status.RUNNING })
  })

  it('believes a guest that is slow, and tells the end before it answers the last question', async () => {
    const agent: AgentDouble = new AgentDouble({ listProcesses: () => { agent.exit('c1', '', 137); return new Promise(resolve => setTimeout(() => resolve({ pids: [] }), 5)) } })
    const shim = new Shim(agent, 's', { agentLimits: { ...limits, callMs: 5_000 } })
    await shim.running()
    await shim.task.kill({ id: 'c1', signal: 9 })
    expect(await shim.task.wait({ id: 'c1' })).toMatchObject({ exitStatus: 137 })
    await new Promise(resolve => setTimeout(resolve, 2 * limits.killMs))
    expect(shim.sandbox.state.is).toBe('ready')
  })

  it('does not end the VM of a paused container, which SIGKILL may not reach', async () => {
    const shim = new Shim(new AgentDouble(), 's', { agentLimits: limits })
    await shim.running()
    await shim.task.pause({ id: 'c1' })
    await shim.task.kill({ id: 'c1', signal: 9 })
    await new Promise(resolve => setTimeout(resolve, 3 * limits.killMs))
    expect(shim.sandbox.state.is).toBe('ready')
  })
})

describe('an answer of the agent', () => {
  it.each([Code.Unavailable, Code.DeadlineExceeded, Code.Unimplemented, Code.Canceled, 99])('with code %i is Unknown to containerd: that is for the shim to say', async code => {
    const shim = new Shim(new AgentDouble({ startContainer: () => { throw new RpcError(code, 'lies') } }), 's', { agentLimits: limits })
    await shim.create()
    await expect(shim.task.start({ id: 'c1' })).rejects.toMatchObject({ code: Code.Unknown, message: 'lies' })
  })

  it('that does not come is told with the time that was waited', async () => {
    const shim = new Shim(new AgentDouble({ statsContainer: () => new Promise(() => {}) }), 's', { agentLimits: limits })
    await shim.running()
    await expect(shim.task.stats({ id: 'c1' })).rejects.toMatchObject({ code: Code.DeadlineExceeded, message: expect.stringContaining('no answer within 50 ms') })
  })

  it('is one line that moves no terminal', async () => {
    const shim = new Shim(new AgentDouble({ startContainer: () => { throw new RpcError(Code.Unknown, 'a\n\u001b[2Jb\u0000c\u202ed\u0085e') } }), 's', { agentLimits: limits })
    await shim.create()
    await expect(shim.task.start({ id: 'c1' })).rejects.toMatchObject({ message: 'a [2Jb c d e' })
  })

  it('of a quarter of a million disks is refused unread; without the limit the shim would hold every one of them', async () => {
    const entries = encode(StatsContainerResponse, { io: Array.from({ length: 1 << 18 }, () => IoStats.decode(new Uint8Array(0))) })
    expect(entries.length).toBeLessThan(dataBytesMax) // what ttrpc allows, and takes: the control
    expect(StatsContainerResponse.decode(entries).io).toHaveLength(1 << 18)
    const [ours, theirs] = memoryPair()
    const agent = new AgentClient(ours, limits)
    theirs.onData(() => theirs.write(encodeFrame(1, MessageType.response, 0, encodeAnswer(entries))))
    await expect(agent.statsContainer({ containerId: 'c1' })).rejects.toThrow(`exceed maximum message size of ${agentAnswerBytesMax}`)
  })
})

describe('figures of the agent', () => {
  const none = { cpu: undefined, memory: undefined, pids: undefined, io: [], hugetlb: [] }

  it('that come twice, or under a name that Linux does not give, do not reach containerd: its metrics would not be collected', () => {
    const page = (pagesize: string, usageBytes: bigint) => ({ pagesize, usageBytes, maxBytes: 0n, failcnt: 0n })
    const disk = (major: number, rbytes: bigint) => ({ major, minor: 0, rbytes, wbytes: 0n, rios: 0n, wios: 0n })
    const told = metrics({ ...none, hugetlb: [page('2MB', 1n), page('2MB', 2n), page('2MB"} 1\nx{y="', 3n), page('1GB', 4n)], io: [disk(8, 1n), disk(8, 2n), disk(9, 3n)] })
    expect(told.hugetlb.map(entry => [entry.pagesize, entry.current])).toEqual([['2MB', 1n], ['1GB', 4n]])
    expect(told.io?.usage.map(entry => [entry.major, entry.rbytes])).toEqual([[8n, 1n], [9n, 3n]])
  })

  it('of CPUs that the VM does not have change nothing on the host', async () => {
    const hypervisor = { resize: async (size: object) => size }
    const agent = { resizeSandbox: async () => ({ onlineCpus: 4_000_000_000, memoryTotalBytes: 0n }) }
    const ports = { hypervisor, agent, log: silentLog } as unknown as Parameters<typeof resizeAround>[2] // what resizeAround uses of them
    expect(await resizeAround({ memoryMib: 256, vcpus: 1 }, { memoryMib: 256, vcpus: 2 }, ports, async () => {})).toEqual({ memoryMib: 256, vcpus: 2 })
  })
})

describe("the guest's kernel", () => {
  it('may leave a connection unanswered: the request ends, and one that comes late is closed', async () => {
    const shim = new Shim(new AgentDouble(), 's', { agentLimits: limits })
    let answer: (fd: { close(): void }) => void = () => {}
    Object.assign(shim.sandbox.ports.hypervisor, { connect: () => new Promise(resolve => { answer = resolve }) })
    await expect(shim.sandbox.dial(1025)).rejects.toThrow('connection to port 1025 of the guest took longer than 200 ms')
    const closed = new Promise<void>(resolve => answer({ close: resolve }))
    await closed
  })
})
