import { describe, expect, it, vi } from 'vitest'
import { AgentDefinition, ContainerRequest, Event, ListProcessesResponse } from '../gen/agent.ts'
import { Any } from '../gen/google/protobuf/any.ts'
import { StreamingDefinition } from '../gen/streaming.ts'
import { CancellationSource } from './cancellation.ts'
import { connect, createClient } from './client.ts'
import { dataBytesMax } from './frame.ts'
import { byteByByte, type Cut, loopback } from './loopback.ts'
import { Queue } from './queue.ts'
import { Server, type ServerOptions } from './server.ts'
import type { CallContext, Handlers, ServiceDefinition } from './service.ts'
import { Code, RpcError } from './status.ts'

/** The one kind of method that none of our services has. */
const sumDefinition = {
  name: 'Sum',
  fullName: 'test.Sum',
  methods: {
    add: { name: 'Add', requestType: ListProcessesResponse, requestStream: true, responseType: ContainerRequest, responseStream: false, options: {} },
  },
} as const

interface Setting {
  agent?: Partial<Handlers<typeof AgentDefinition>>
  options?: ServerOptions
  cut?: Cut
}

function connected({ agent = {}, options, cut }: Setting = {}) {
  const [near, far] = loopback(cut)
  const server = new Server(options)
  server.register(AgentDefinition, agent)
  server.register(sumDefinition, {
    add: async requests => {
      let sum = 0
      for await (const { pids } of requests) for (const pid of pids) sum += pid
      return { containerId: String(sum) }
    },
  })
  server.register(StreamingDefinition, {
    stream: async function* (requests) {
      for await (const request of requests) yield { typeUrl: `got ${request.typeUrl}` }
    },
  })
  const served = server.serve(far)
  const connection = connect(near)
  const client = <S extends ServiceDefinition>(definition: S) => createClient(definition, connection)
  return { near, far, server, served, connection, client, agent: client(AgentDefinition) }
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

const log = (message: string) => ({ event: { $case: 'log' as const, value: { level: 'info', message, fields: '' } } })
const codeOf = (call: Promise<unknown>) => call.then(() => Code.OK, error => (error as RpcError).code)

describe.each([['whole', undefined], ['byte by byte', byteByByte]] as const)('over a connection that delivers %s', (_name, cut) => {
  it('answers a unary call, with zero values for what the handler left out', async () => {
    const { agent } = connected({ agent: { createSandbox: request => ({ agentVersion: request.sandboxId }) }, ...(cut && { cut }) })
    const answer = await agent.createSandbox({ sandboxId: 'a', entropy: new Uint8Array(300) })
    expect(answer).toMatchObject({ agentVersion: 'a', kernelRelease: '', memoryTotalBytes: 0n })
  })

  it('streams from the server to its end', async () => {
    const events = async function* () {
      for (let i = 0; i < 3; i++) yield log(`line ${i}`)
    }
    const { agent, served } = connected({ agent: { events }, ...(cut && { cut }) })
    expect(await collect(agent.events({}))).toEqual([0, 1, 2].map(i => log(`line ${i}`)))
    expect(served.activeCalls).toBe(0)
  })

  it('streams to the server', async () => {
    const call = connected({ ...(cut && { cut }) }).client(sumDefinition).add()
    call.send({ pids: [1, 2] })
    call.send({ pids: [] })
    call.send({ pids: [40] })
    call.end()
    expect(await call.response).toEqual({ containerId: '43' })
  })

  it('streams both ways', async () => {
    const call = connected({ ...(cut && { cut }) }).client(StreamingDefinition).stream()
    call.send({ typeUrl: 'a' })
    expect((await call.responses.next()).value).toMatchObject({ typeUrl: 'got a' })
    call.send({ typeUrl: 'b' })
    call.end()
    expect(await collect(call.responses)).toMatchObject([{ typeUrl: 'got b' }])
  })
})

describe('a call', () => {
  it('does not wait for an earlier one', async () => {
    let release = () => {}
    const held = new Promise<void>(resolve => { release = resolve })
    const { agent } = connected({ agent: { startContainer: async () => { await held; return {} }, listProcesses: () => ({ pids: [7] }) } })
    const first = agent.startContainer({})
    expect((await agent.listProcesses({})).pids).toEqual([7])
    release()
    await first
  })

  it('hands over metadata and the time allowed', async () => {
    const seen: CallContext[] = []
    const { agent } = connected({ agent: { listProcesses: (_request, context) => { seen.push(context); return {} } } })
    await agent.listProcesses({}, { timeoutMs: 1500, metadata: { 'Containerd-Namespace-Ttrpc': 'k8s.io', many: ['a', 'b'] } })
    expect(seen[0]?.timeoutMs).toBe(1500)
    expect(seen[0]?.method).toBe('ListProcesses')
    expect([...seen[0]?.metadata ?? []]).toEqual([['containerd-namespace-ttrpc', ['k8s.io']], ['many', ['a', 'b']]])
  })

  it('carries the status a handler throws', async () => {
    const { agent } = connected({ agent: { pauseContainer: () => { throw new RpcError(Code.NotFound, 'container a: not found') } } })
    await expect(agent.pauseContainer({})).rejects.toMatchObject({ code: Code.NotFound, message: 'container a: not found' })
  })

  it('carries what toRpcError makes of any other throw', async () => {
    const options: ServerOptions = { toRpcError: error => new RpcError(Code.Aborted, `wrapped: ${(error as Error).message}`) }
    const { agent } = connected({ agent: { pauseContainer: () => Promise.reject(new Error('mount: EPERM')) }, options })
    await expect(agent.pauseContainer({})).rejects.toMatchObject({ code: Code.Aborted, message: 'wrapped: mount: EPERM' })
  })

  it('carries an error that is longer than a frame, cut', async () => {
    const { agent } = connected({ agent: { pauseContainer: () => { throw new Error('x'.repeat(dataBytesMax)) } } })
    await expect(agent.pauseContainer({})).rejects.toMatchObject({ code: Code.Unknown, message: /^x{16384}$/ })
  })

  it('is refused with exactly Unimplemented when the method has no handler, or the service is unknown', async () => {
    const { agent, client } = connected()
    await expect(agent.pauseContainer({})).rejects.toMatchObject({ code: Code.Unimplemented, message: 'method PauseContainer' })
    const other = client({ ...AgentDefinition, fullName: 'no.Such' })
    await expect(other.pauseContainer({})).rejects.toMatchObject({ code: Code.Unimplemented, message: 'service no.Such' })
  })

  it('whose request is longer than a frame fails alone', async () => {
    const { agent } = connected({ agent: { listProcesses: () => ({ pids: [1] }) } })
    expect(await codeOf(agent.createContainer({ spec: new Uint8Array(dataBytesMax) }))).toBe(Code.ResourceExhausted)
    expect((await agent.listProcesses({})).pids).toEqual([1])
  })

  it('whose answer is longer than a frame fails alone', async () => {
    const { agent } = connected({ agent: { createSandbox: () => ({ agentVersion: 'x'.repeat(dataBytesMax) }) } })
    await expect(agent.createSandbox({})).rejects.toMatchObject({ code: Code.ResourceExhausted, message: /exceed maximum message size of 4194304/ })
  })

  it('fails on the spot when its fields cannot be encoded', async () => {
    const { agent } = connected()
    await expect(agent.resizePty({ width: -1 })).rejects.toMatchObject({ code: Code.Internal, message: /cannot be encoded: invalid uint32/ })
  })
})

describe('a timeout', () => {
  it('fails the call on both sides, and frees both', async () => {
    vi.useFakeTimers()
    try {
      const reasons: (RpcError | undefined)[] = []
      const startContainer = (_request: unknown, { cancelled }: CallContext) =>
        new Promise<object>((_resolve, reject) => cancelled.onCancel(reason => { reasons.push(reason); reject(reason) }))
      const { agent, served } = connected({ agent: { startContainer } })
      const code = codeOf(agent.startContainer({}, { timeoutMs: 50 }))
      await vi.advanceTimersByTimeAsync(49)
      expect(served.activeCalls).toBe(1)
      await vi.advanceTimersByTimeAsync(2)
      expect(await code).toBe(Code.DeadlineExceeded)
      expect(reasons).toMatchObject([{ code: Code.DeadlineExceeded }])
      expect(served.activeCalls).toBe(0)
      expect(vi.getTimerCount()).toBe(0)
    } finally {
      vi.useRealTimers()
    }
  })

  it('leaves no timer behind when the answer comes first', async () => {
    vi.useFakeTimers()
    try {
      const { agent } = connected({ agent: { listProcesses: () => ({}) } })
      await agent.listProcesses({}, { timeoutMs: 1000 })
      expect(vi.getTimerCount()).toBe(0)
    } finally {
      vi.useRealTimers()
    }
  })
})

describe('cancellation', () => {
  it('fails the call at once; its late answer is ignored', async () => {
    let release = () => {}
    const held = new Promise<void>(resolve => { release = resolve })
    const { agent, connection } = connected({ agent: { startContainer: async () => { await held; return {} }, listProcesses: () => ({ pids: [1] }) } })
    const source = new CancellationSource()
    const code = codeOf(agent.startContainer({}, { cancelled: source.token }))
    source.cancel()
    expect(await code).toBe(Code.Canceled)
    release()
    expect((await agent.listProcesses({})).pids).toEqual([1])
    expect(connection.isOpen).toBe(true)
    expect(await codeOf(agent.listProcesses({}, { cancelled: source.token }))).toBe(Code.Canceled)
  })

  it('of a stream by its reader drops what still arrives', async () => {
    const queue = new Queue<Partial<Event>>()
    const { agent, connection } = connected({ agent: { events: () => queue } })
    const events = agent.events({})
    queue.push(log('a'))
    expect((await events.next()).value).toEqual(log('a'))
    events.cancel()
    queue.push(log('b'))
    await Promise.resolve()
    expect((await events.next()).done).toBe(true)
    expect(connection.isOpen).toBe(true)
  })
})

describe('the end of a connection', () => {
  it('fails calls that wait and later ones with Unavailable, and cancels their handlers', async () => {
    const reasons: (RpcError | undefined)[] = []
    const queue = new Queue<Partial<Event>>()
    const { agent, far, connection, served } = connected({
      agent: {
        events: () => queue,
        startContainer: (_request, { cancelled }) => new Promise((_resolve, reject) => cancelled.onCancel(reason => { reasons.push(reason); reject(reason) })),
      },
    })
    const events = agent.events({}).next()
    const started = agent.startContainer({})
    await new Promise(setImmediate)
    expect(served.activeCalls).toBe(2)
    far.fail(new Error('recv: ECONNRESET'))
    await expect(started).rejects.toMatchObject({ code: Code.Unavailable, message: /^kata_ts.agent.v1.Agent\/StartContainer: the connection was closed/ })
    expect(await codeOf(events)).toBe(Code.Unavailable)
    expect(await codeOf(agent.startContainer({}))).toBe(Code.Unavailable)
    expect(await codeOf(agent.events({}).next())).toBe(Code.Unavailable)
    expect(reasons).toMatchObject([{ code: Code.Canceled }])
    expect(await served.closed).toMatchObject({ message: 'recv: ECONNRESET' })
    expect(await connection.closed).toBeUndefined()
    await new Promise(setImmediate)
    expect(served.activeCalls).toBe(0)
    expect(queue.push(log('x'))).toBe(false)
  })

  it('by close() fails calls with Canceled', async () => {
    const { agent, connection, served } = connected({ agent: { startContainer: () => new Promise(() => {}) } })
    const code = codeOf(agent.startContainer({}))
    connection.close()
    expect(await code).toBe(Code.Canceled)
    expect(await served.closed).toBeUndefined()
  })
})

describe('a handler\'s stream', () => {
  /** Yields once, then waits for ever, unless what it waits for fails; tells when it is left. */
  const waiting = (left: string[], source: Queue<Partial<Event>>, item: Partial<Event>) => async function* () {
    try {
      yield item
      yield* source
    } finally {
      left.push('left')
      throw new Error('while leaving')
    }
  }

  it('that cannot be sent is left, and its errors then are nobody\'s', async () => {
    const left: string[] = []
    const { agent } = connected({ agent: { events: waiting(left, new Queue(), log('x'.repeat(dataBytesMax))) } })
    expect(await codeOf(agent.events({}).next())).toBe(Code.ResourceExhausted)
    await new Promise(setImmediate)
    expect(left).toEqual(['left'])
  })

  it('is left when the connection ends', async () => {
    const queue = new Queue<Partial<Event>>()
    const left: string[] = []
    const { agent, far, served } = connected({ agent: { events: () => { queue.onReturn = () => left.push('left'); return queue } } })
    void codeOf(agent.events({}).next())
    await new Promise(setImmediate)
    far.fail(undefined)
    await new Promise(setImmediate)
    expect(left).toEqual(['left'])
    expect(served.activeCalls).toBe(0)
  })
})

describe('a stream that nobody reads', () => {
  it('fails instead of filling the memory', async () => {
    const events = async function* () {
      for (let i = 0; i < 12; i++) yield log('x'.repeat(1 << 20))
    }
    const { agent } = connected({ agent: { events } })
    const stream = agent.events({})
    await new Promise(setImmediate)
    expect(await codeOf(stream.next())).toBe(Code.ResourceExhausted)
  })
})

describe('types', () => {
  it('of requests and answers are those of the .proto', () => {
    const { agent, client } = connected()
    // @ts-expect-error the field is named containerId
    void agent.pauseContainer({ id: 'a' }).catch(() => {})
    // @ts-expect-error a server stream is no promise
    void agent.events({}).then
    // @ts-expect-error a handler's answer has no such field
    const wrong: Partial<Handlers<typeof AgentDefinition>> = { listProcesses: () => ({ pid: 1 }) }
    expect(Object.keys(wrong)).toEqual(['listProcesses'])
    expect(Object.keys(client(StreamingDefinition))).toEqual(['stream'])
    expect(Any.decode(new Uint8Array())).toEqual({ typeUrl: '', value: new Uint8Array() })
  })
})
