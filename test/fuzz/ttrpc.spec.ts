/** Whatever the bytes, both ends of ttrpc live on: calls end, fail with RpcError alone, and nothing is kept of them. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AgentDefinition } from '../../protocol/gen/agent.ts'
import { StreamingDefinition } from '../../protocol/gen/streaming.ts'
import { Request, Response } from '../../protocol/gen/ttrpc.ts'
import { encode } from '../../protocol/message.ts'
import { ClientConnection } from '../../protocol/ttrpc/client-connection.ts'
import { createClient } from '../../protocol/ttrpc/client.ts'
import { FrameDecoder } from '../../protocol/ttrpc/decoder.ts'
import { dataBytesMax, encodeFrame, type Frame } from '../../protocol/ttrpc/frame.ts'
import { LoopbackEnd } from '../../protocol/ttrpc/loopback.ts'
import { Server } from '../../protocol/ttrpc/server.ts'
import { RpcError } from '../../protocol/ttrpc/status.ts'
import dialogues from '../../protocol/vectors/ttrpc.json' with { type: 'json' }
import { anyBytes, mutated } from './arbitraries.ts'
import { bytesOf, corpus } from './corpus.ts'
import { settings } from './settings.ts'

const fromHex = (hex: string) => new Uint8Array(Buffer.from(hex, 'hex'))

/** Frames with every kind of header, more or less sensible. */
const frame: fc.Arbitrary<Frame> = fc.record({
  streamId: fc.oneof(fc.integer({ min: 0, max: 9 }), fc.nat(0xffff_ffff)),
  type: fc.oneof(fc.constantFrom(1, 2, 3), fc.nat(255)),
  flags: fc.oneof(fc.constantFrom(0, 1, 2, 4, 5), fc.nat(255)),
  data: fc.oneof(
    anyBytes,
    fc.record({ method: fc.constantFrom('Events', 'ListProcesses', 'CreateContainer', 'x'), payload: anyBytes, timeoutNano: fc.constantFrom(0n, 1n, -1n, 2n ** 62n) })
      .map(fields => encode(Request, { service: 'kata_ts.agent.v1.Agent', ...fields })),
    anyBytes.map(payload => encode(Request, { service: 'containerd.services.streaming.v1.Streaming', method: 'Stream', payload })),
    fc.record({ payload: anyBytes, code: fc.integer() }).map(({ payload, code }) => encode(Response, { payload, status: { code: code | 0, message: '', details: [] } })),
  ),
})
const frames = fc.array(frame, { maxLength: 12 })
const wire = ({ streamId, type, flags, data }: Frame) => encodeFrame(streamId, type, flags, data)

/** The same bytes in pieces. */
const cuts = fc.array(fc.nat(600), { maxLength: 12 })
function pieces(bytes: Uint8Array, at: readonly number[]): Uint8Array[] {
  const edges = [0, ...at.map(cut => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]
  return edges.slice(1).map((end, i) => bytes.subarray(edges[i], end))
}

const settled = () => new Promise<void>(resolve => setImmediate(resolve))

describe('the frame decoder', () => {
  it('finds the same frames however the bytes are cut', () => {
    fc.assert(fc.property(frames, cuts, (sent, at) => {
      const found: Frame[] = []
      const decoder = new FrameDecoder({ frame: one => found.push(one), oversize: () => { throw new Error('none is too long') } })
      for (const piece of pieces(Buffer.concat(sent.map(wire)), at)) decoder.push(piece)
      expect(found.map(wire)).toEqual(sent.map(wire))
    }), settings)
  })

  it('takes any bytes, and keeps no more of them than twice what came', () => {
    fc.assert(fc.property(fc.array(anyBytes, { maxLength: 8 }), chunks => {
      let frames = 0
      const decoder = new FrameDecoder({
        frame: ({ data }) => {
          frames++
          expect(data.length).toBeLessThanOrEqual(dataBytesMax)
        },
        oversize: (_streamId, length) => expect(length).toBeGreaterThan(dataBytesMax),
      })
      for (const chunk of chunks) decoder.push(chunk)
      expect(frames * 10).toBeLessThanOrEqual(chunks.reduce((sum, chunk) => sum + chunk.length, 0))
    }), settings)
  })
})

describe('a ttrpc server', () => {
  const agent = { events: async function* () { yield { event: { $case: 'oom' as const, value: { containerId: 'a' } } } }, listProcesses: () => ({ pids: [1] }) }

  const survives = async (chunks: readonly Uint8Array[]) => {
    const server = new Server({ startTimer: () => () => {} })
    server.register(AgentDefinition, agent)
    server.register(StreamingDefinition, { stream: async function* (requests) { yield* requests } })
    const end = new LoopbackEnd(bytes => [bytes])
    const served = server.serve(end)
    for (const chunk of chunks) end.deliver(chunk)
    await settled()
    end.close()
    await settled()
    expect(served.activeCalls).toBe(0)
  }

  it('survives any bytes', () => fc.assert(fc.asyncProperty(fc.array(anyBytes, { maxLength: 6 }), survives), settings))
  it.each(corpus('ttrpc'))('survives: $why', kept => survives([bytesOf(kept)]))
  it('survives frames in any order', () => fc.assert(fc.asyncProperty(frames, sent => survives(sent.map(wire))), settings))

  it('survives spoilt dialogues of a Go client', () => {
    const sent = dialogues.map(({ frames }) => fromHex(frames.filter(one => one.from === 'client').map(one => one.hex).join('')))
    return fc.assert(fc.asyncProperty(mutated(sent), bytes => survives([bytes])), settings)
  })
})

describe('a ttrpc client', () => {
  /** Every call ends, and fails with nothing but RpcError. */
  const survives = async (chunks: readonly Uint8Array[]) => {
    const end = new LoopbackEnd(bytes => [bytes])
    const connection = new ClientConnection(end, () => () => {})
    const client = createClient(AgentDefinition, connection)
    const streaming = createClient(StreamingDefinition, connection).stream()
    const read = async (items: AsyncIterable<unknown>) => { for await (const _ of items); }
    const calls = [client.listProcesses({}), client.statsContainer({}), read(client.events({})), read(streaming.responses)]
    const outcomes = Promise.allSettled(calls)
    for (const chunk of chunks) connection.receive(chunk)
    await settled()
    connection.close()
    for (const outcome of await outcomes) if (outcome.status === 'rejected') expect(outcome.reason).toBeInstanceOf(RpcError)
  }

  it('survives any bytes', () => fc.assert(fc.asyncProperty(fc.array(anyBytes, { maxLength: 6 }), survives), settings))
  it.each(corpus('ttrpc'))('survives: $why', kept => survives([bytesOf(kept)]))
  it('survives frames in any order', () => fc.assert(fc.asyncProperty(frames, sent => survives(sent.map(wire))), settings))
})
