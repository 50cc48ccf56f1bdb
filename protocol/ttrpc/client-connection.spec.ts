import { describe, expect, it } from 'vitest'
import { AgentDefinition, Event } from '../gen/agent.ts'
import { Response } from '../gen/ttrpc.ts'
import { encode } from '../message.ts'
import { connect, createClient } from './client.ts'
import { dataBytesMax, encodeFrame, Flag, MessageType } from './frame.ts'
import { LoopbackEnd } from './loopback.ts'
import { Code, type RpcError } from './status.ts'

/** A client whose server is the test. Its first call is on stream 1, the next on 3. */
function client() {
  const end = new LoopbackEnd(bytes => [bytes])
  const connection = connect(end)
  const send = (streamId: number, type: number, flags: number, data: Uint8Array = new Uint8Array()) => end.deliver(encodeFrame(streamId, type, flags, data))
  return { end, connection, agent: createClient(AgentDefinition, connection), send }
}

const failure = (call: Promise<unknown>) => call.then(() => undefined, (error: RpcError) => error)

describe('a server that breaks the protocol', () => {
  it.each([[3, 'not yet opened'], [2, 'even']])('on stream %i, %s, loses the connection', async streamId => {
    const { end, connection, agent, send } = client()
    const call = failure(agent.listProcesses({}))
    send(streamId, MessageType.response, 0)
    expect(await call).toMatchObject({ code: Code.Internal, message: expect.stringContaining(`stream ${streamId}, which was never opened`) })
    expect(await connection.closed).toMatchObject({ code: Code.Internal })
    expect(end.isClosed).toBe(true)
  })

  it('with a stream where one response is expected fails that call alone', async () => {
    const { agent, send } = client()
    const [wrong, right] = [failure(agent.listProcesses({})), agent.listProcesses({})]
    send(1, MessageType.data, 0)
    send(3, MessageType.response, 0)
    expect(await wrong).toMatchObject({ code: Code.Internal, message: expect.stringContaining('sent a stream') })
    expect(await right).toEqual({ pids: [] })
  })

  it('with a message that is too long fails that call alone, and what follows is read', async () => {
    const { end, agent, send } = client()
    const [long, right] = [failure(agent.listProcesses({})), agent.listProcesses({})]
    const header = Uint8Array.of(0, 0x40, 0, 1, 0, 0, 0, 1, MessageType.response, 0)
    end.deliver(header)
    expect(await long).toMatchObject({ code: Code.ResourceExhausted })
    end.deliver(new Uint8Array(dataBytesMax + 1))
    send(3, MessageType.response, 0)
    expect(await right).toEqual({ pids: [] })
  })

  it.each([
    ['an envelope', Uint8Array.of(0x12, 5)],
    ['a message', encode(Response, { payload: Uint8Array.of(0x0a, 5) })],
  ])('with %s that cannot be read fails that call alone', async (_what, data) => {
    const { connection, agent, send } = client()
    const call = failure(agent.listProcesses({}))
    send(1, MessageType.response, 0, data)
    expect(await call).toMatchObject({ code: Code.Internal, message: expect.stringMatching(/ListProcesses: the server's answer cannot be read/) })
    expect(connection.isOpen).toBe(true)
  })

  it('with a code that is none keeps it', async () => {
    const { agent, send } = client()
    const call = failure(agent.listProcesses({}))
    send(1, MessageType.response, 0, encode(Response, { status: { code: 99, message: 'odd', details: [] } }))
    expect(await call).toMatchObject({ code: 99, message: 'odd' })
  })
})

describe('a stream', () => {
  it('takes a message in the frame that closes it', async () => {
    const { agent, send } = client()
    const events = agent.events({})
    send(1, MessageType.data, Flag.remoteClosed, encode(Event, {}))
    expect(await events.next()).toEqual({ done: false, value: { event: undefined } })
    expect((await events.next()).done).toBe(true)
  })

  it('that ends with a failure gives what came before it', async () => {
    const { agent, send } = client()
    const events = agent.events({})
    send(1, MessageType.data, 0, encode(Event, {}))
    send(1, MessageType.response, 0, encode(Response, { status: { code: Code.Aborted, message: 'gone', details: [] } }))
    expect((await events.next()).done).toBe(false)
    expect(await failure(events.next())).toMatchObject({ code: Code.Aborted })
  })
})
