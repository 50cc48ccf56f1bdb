/**
 * Whatever the bytes, each decoder ends, and either reads them or throws its own error. A failure prints the seed that
 * repeats it; FUZZ_RUNS=100000 looks longer.
 */
import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { AgentDefinition, CreateContainerRequest, Event, StatsContainerResponse } from './gen/agent.ts'
import { BootstrapParams } from './gen/bootstrap.ts'
import { Metrics } from './gen/cgroups-v2.ts'
import { ForwardRequest } from './gen/forward.ts'
import { UpdateSandboxRequest } from './gen/sandbox.ts'
import { StreamingDefinition } from './gen/streaming.ts'
import { CreateTaskRequest, UpdateTaskRequest } from './gen/task.ts'
import { Request, Response } from './gen/ttrpc.ts'
import { decode, encode, type MessageType } from './message.ts'
import { parseAnswers } from './netlink/answer.ts'
import { NetlinkError } from './netlink/attribute.ts'
import { parseIp } from './netlink/ip.ts'
import { parseProcess, parseResources, parseSpec, SpecError } from './oci/parse.ts'
import { ClientConnection } from './ttrpc/client-connection.ts'
import { createClient } from './ttrpc/client.ts'
import { FrameDecoder } from './ttrpc/decoder.ts'
import { dataBytesMax, encodeFrame, type Frame } from './ttrpc/frame.ts'
import { LoopbackEnd } from './ttrpc/loopback.ts'
import { Server } from './ttrpc/server.ts'
import { RpcError } from './ttrpc/status.ts'
import dialogues from './vectors/ttrpc.json' with { type: 'json' }
import netlinkAnswers from './vectors/netlink.json' with { type: 'json' }

// Long enough for FUZZ_RUNS in the ten thousands, and for a machine that is busy.
vi.setConfig({ testTimeout: 300_000 })

const runs = Number(process.env.FUZZ_RUNS ?? 300)
const seed = process.env.FUZZ_SEED === undefined ? {} : { seed: Number(process.env.FUZZ_SEED) }
const settings = { numRuns: runs, ...seed }

const fromHex = (hex: string) => new Uint8Array(Buffer.from(hex, 'hex'))

/** Bytes that were right until some were changed, removed or repeated: they reach deeper than random ones. */
function mutated(originals: readonly Uint8Array[]): fc.Arbitrary<Uint8Array> {
  const change = fc.record({ at: fc.nat(), kind: fc.constantFrom('set', 'cut', 'repeat'), byte: fc.nat(255) })
  return fc.record({ original: fc.constantFrom(...originals), changes: fc.array(change, { maxLength: 6 }) }).map(({ original, changes }) => {
    const bytes = [...original]
    for (const { at, kind, byte } of changes) {
      const i = bytes.length === 0 ? 0 : at % bytes.length
      if (kind === 'set') bytes[i] = byte
      else if (kind === 'cut') bytes.splice(i, 1 + byte % 8)
      else bytes.splice(i, 0, ...bytes.slice(i, i + 1 + byte % 32))
    }
    return Uint8Array.from(bytes)
  })
}

const anyBytes = fc.uint8Array({ maxLength: 400 })

/** Runs `use`; only errors of `allowed` may come out. */
function throwsOnly(allowed: new (...args: never[]) => Error, use: () => unknown): void {
  try {
    use()
  } catch (error) {
    if (!(error instanceof allowed)) throw error
  }
}

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
const bytesOf = ({ streamId, type, flags, data }: Frame) => encodeFrame(streamId, type, flags, data)

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
      for (const piece of pieces(Buffer.concat(sent.map(bytesOf)), at)) decoder.push(piece)
      expect(found.map(bytesOf)).toEqual(sent.map(bytesOf))
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
  it('survives frames in any order', () => fc.assert(fc.asyncProperty(frames, sent => survives(sent.map(bytesOf))), settings))

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
  it('survives frames in any order', () => fc.assert(fc.asyncProperty(frames, sent => survives(sent.map(bytesOf))), settings))
})

describe('message decoders', () => {
  const types: [string, MessageType<object>][] = [
    ['Request', Request], ['Response', Response], ['CreateTaskRequest', CreateTaskRequest], ['UpdateTaskRequest', UpdateTaskRequest],
    ['UpdateSandboxRequest', UpdateSandboxRequest], ['ForwardRequest', ForwardRequest], ['BootstrapParams', BootstrapParams], ['Event', Event],
    ['StatsContainerResponse', StatsContainerResponse], ['CreateContainerRequest', CreateContainerRequest], ['Metrics', Metrics],
  ]
  it.each(types)('%s reads any bytes or throws RpcError', (_name, type) => {
    const some = fc.oneof(anyBytes, mutated(dialogues.flatMap(({ frames }) => frames.map(one => fromHex(one.hex).subarray(10)))))
    fc.assert(fc.property(some, bytes => throwsOnly(RpcError, () => decode(type, bytes))), settings)
  })

  it('refuse what is nested without end', () => {
    const group = new Uint8Array(100_000).fill(0x0b) // field 1, start of a group
    expect(() => decode(Event, group)).toThrow(RpcError)
  })

  it('do not let a map\'s key reach the prototype', () => {
    const entry = Uint8Array.of(10, 9, ...Buffer.from('__proto__'), 16, 5)
    const stats = decode(StatsContainerResponse, Uint8Array.of(18, entry.length + 2, 42, entry.length, ...entry))
    expect(Object.getPrototypeOf(stats.memory?.stat)).toBe(Object.prototype)
  })
})

describe('OCI documents', () => {
  const spec = { ociVersion: '1.0.0', root: { path: 'r' }, process: { user: { uid: 0, gid: 0 }, args: ['a'], cwd: '/' }, linux: { namespaces: [{ type: 'pid' }], resources: {}, seccomp: { defaultAction: 'SCMP_ACT_ALLOW' } } }
  const key = fc.constantFrom('root', 'path', 'process', 'user', 'uid', 'args', 'env', 'cwd', 'linux', 'namespaces', 'type', 'seccomp', 'syscalls', 'names', 'mounts', 'hooks', 'resources', 'devices', 'unified', '__proto__', 'x')
  const tree = fc.letrec<{ value: unknown }>(tie => ({
    value: fc.oneof({ maxDepth: 5 }, fc.constantFrom(null, true, 0, -1, 2 ** 70, 'a', '/', ''), fc.array(tie('value'), { maxLength: 3 }), fc.dictionary(key, tie('value'), { maxKeys: 5 })),
  })).value

  it.each([['parseSpec', parseSpec], ['parseProcess', parseProcess], ['parseResources', parseResources]] as const)('%s reads any JSON or throws SpecError, shortly', (_name, parse) => {
    fc.assert(fc.property(fc.oneof(tree.map(value => JSON.stringify(value)), fc.json(), fc.string()), json => throwsOnly(SpecError, () => parse(json))), settings)
    fc.assert(fc.property(tree, value => {
      try {
        parse(JSON.stringify({ ...spec, ...spec.process, extra: value, linux: value, mounts: value, devices: value }))
      } catch (error) {
        expect(error).toBeInstanceOf(SpecError)
        expect((error as SpecError).message.length).toBeLessThan(20_000)
      }
    }), settings)
  })
})

describe('netlink', () => {
  it('answers are read or refused with NetlinkError', () => {
    const some = fc.oneof(anyBytes, mutated(netlinkAnswers.map(answer => fromHex(answer.hex))))
    fc.assert(fc.property(some, bytes => throwsOnly(NetlinkError, () => parseAnswers(bytes))), settings)
  })

  it('addresses are read or refused with RangeError', () => {
    fc.assert(fc.property(fc.oneof(fc.string(), fc.ipV4(), fc.ipV6(), fc.stringMatching(/^[0-9a-f:.]{0,30}$/)), text => throwsOnly(RangeError, () => parseIp(text))), settings)
    fc.assert(fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), text => { parseIp(text) }), settings)
  })
})
