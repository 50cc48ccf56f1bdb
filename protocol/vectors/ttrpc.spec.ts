/**
 * Our ttrpc against Go's, byte by byte: each dialogue of ttrpc.json was held between a Go client and a Go server. Here
 * one of the two is ours, and must write the same bytes.
 */
import { describe, expect, it, vi } from 'vitest'
import { Status } from '../gen/process.ts'
import { StreamingDefinition } from '../gen/streaming.ts'
import { type CreateTaskRequest, TaskDefinition } from '../gen/task.ts'
import { TaskDefinition as TaskV2Definition } from '../gen/task-v2.ts'
import { Options } from '../gen/runtime-options.ts'
import { encode } from '../message.ts'
import { ClientConnection } from '../ttrpc/client-connection.ts'
import { createClient } from '../ttrpc/client.ts'
import { FrameDecoder } from '../ttrpc/decoder.ts'
import { LoopbackEnd } from '../ttrpc/loopback.ts'
import { Code, type RpcError } from '../ttrpc/status.ts'
import { exitedAt, goServer, oneWayDefinition } from './go-server.ts'
import dialogues from './ttrpc.json' with { type: 'json' }

// Each dialogue is held once for every byte it has.
vi.setConfig({ testTimeout: 60_000 })

interface VectorFrame {
  from: string
  hex: string
  /** Zero bytes behind `hex`, left out of the file. */
  zeros?: number
}

const settled = () => new Promise<void>(resolve => setImmediate(resolve))
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
const bytesOf = ({ hex, zeros = 0 }: VectorFrame) => new Uint8Array(Buffer.concat([Buffer.from(hex, 'hex'), Buffer.alloc(zeros)]))
const writtenBy = (frames: readonly VectorFrame[], side: string) => frames.filter(frame => frame.from === side)

/** Our server's frames after each of the client's. */
async function serve(chunks: readonly Uint8Array[]): Promise<string[]> {
  const end = new LoopbackEnd(bytes => [bytes])
  const served = goServer().serve(end)
  for (const chunk of chunks) {
    end.deliver(chunk)
    await settled()
  }
  expect(served.activeCalls).toBe(0)
  return end.written.map(hex)
}

/** Go words its parser's errors differently from build to build, so only stream, type and code are compared. */
const vaguely = (frames: string[]) => frames.map(frame => frame.replace(/^.{8}(.{12}0a)..(0803).*$/, '$1$2'))

describe.each(dialogues.map(dialogue => [dialogue.name, dialogue.frames as VectorFrame[]] as const))('%s', (name, frames) => {
  const asked = writtenBy(frames, 'client').map(bytesOf)
  const answered = writtenBy(frames, 'server').map(frame => frame.hex)
  const isExact = name !== 'request that is no protobuf'

  it('is answered by our server as by Go\'s', async () => {
    const ours = await serve(asked)
    if (isExact) expect(ours).toEqual(answered)
    else expect(vaguely(ours)).toEqual(vaguely(answered))
  })

  it.skipIf(name === 'message that is too long')('is answered so wherever the bytes are split', async () => {
    const all = Buffer.concat(asked)
    for (let split = 1; split < all.length; split++) {
      const ours = await serve([all.subarray(0, split), all.subarray(split)])
      // A refusal may overtake an answer that came in the same chunk.
      expect((isExact ? ours : vaguely(ours)).sort()).toEqual((isExact ? [...answered] : vaguely(answered)).sort())
    }
  })

  it('is cut into the same frames byte by byte', () => {
    const expected: string[] = []
    const found: string[] = []
    const decoder = (into: string[]) => new FrameDecoder({
      frame: ({ streamId, type, flags, data }) => into.push(`${streamId} ${type} ${flags} ${hex(data)}`),
      oversize: (streamId, length) => into.push(`${streamId} too long: ${length}`),
    })
    const [whole, pieces] = [decoder(expected), decoder(found)]
    for (const bytes of frames.map(bytesOf)) {
      whole.push(bytes)
      for (let i = 0; i < bytes.length; i++) pieces.push(bytes.subarray(i, i + 1))
    }
    expect(found).toEqual(expected)
    expect(found).toHaveLength(frames.length)
  })
})

/** Our client, with Go's answers played to it as it asks. */
function replay(name: string) {
  const frames = (dialogues.find(dialogue => dialogue.name === name)?.frames ?? []) as VectorFrame[]
  const written: string[] = []
  let next = 0
  const connection: ClientConnection = new ClientConnection({
    close: () => {},
    write: bytes => {
      written.push(hex(bytes))
      next++
      while (frames[next]?.from === 'server') {
        const answer = bytesOf(frames[next++] as VectorFrame)
        queueMicrotask(() => connection.receive(answer))
      }
    },
  }, () => () => {})
  const expected = writtenBy(frames, 'client').map(frame => frame.hex)
  return { connection, task: createClient(TaskDefinition, connection), check: () => expect(written).toEqual(expected) }
}

const failure = (call: Promise<unknown>) => call.then(() => undefined, (error: RpcError) => ({ code: error.code, message: error.message }))

describe('our client asks as Go\'s, and understands a Go server', () => {
  it('unary', async () => {
    const { task, check } = replay('unary')
    expect(await task.state({ id: 'c1', execId: 'e' })).toEqual({
      id: 'c1', bundle: '/run/b', pid: 4_000_000_000, status: Status.STOPPED, stdin: '', stdout: '/fifo', stderr: '', terminal: true, exitStatus: 137, exitedAt, execId: 'e',
    })
    check()
  })

  it('unary with empty messages', async () => {
    const { task, check } = replay('unary with empty messages')
    expect(await task.pause({})).toEqual({})
    check()
  })

  it('three calls on one connection', async () => {
    const { task, check } = replay('three calls on one connection')
    for (let i = 0; i < 3; i++) await task.pause({ id: 'c1' })
    check()
  })

  it('task v2 Create', async () => {
    const { connection, check } = replay('task v2 Create')
    const request: Partial<CreateTaskRequest> = {
      id: 'c1', bundle: '/run/b', terminal: true, stdin: '/in',
      rootfs: [{ type: 'overlay', source: 'overlay', target: '', options: ['lowerdir=/a:/b', 'ro'] }, { type: 'bind', source: '', target: '', options: [] }],
      options: { typeUrl: 'type.googleapis.com/runtimeoptions.v1.Options', value: encode(Options, { typeUrl: 'kata-ts', configPath: '/etc/x.toml' }) },
    }
    expect(await createClient(TaskV2Definition, connection).create(request)).toEqual({ pid: 2 })
    check()
  })

  it('metadata and timeout', async () => {
    const { task, check } = replay('metadata and timeout')
    await task.pause({ id: 'c1' }, { timeoutMs: 5000, metadata: { 'Containerd-Namespace-Ttrpc': ['k8s.io', 'second'] } })
    check()
  })

  it('errors', async () => {
    const notFound = replay('status of an error')
    expect(await failure(notFound.task.state({ id: 'nope' }))).toEqual({ code: Code.NotFound, message: 'container nope: not found' })
    notFound.check()
    const plain = replay('status of an error without a code')
    expect(await failure(plain.task.resume({ id: 'c1' }))).toEqual({ code: Code.Unknown, message: 'not an RPC error' })
    plain.check()
    const { connection, check } = replay('unknown service')
    const other = createClient({ ...TaskDefinition, fullName: 'no.Such' }, connection)
    expect(await failure(other.state({ id: 'c1' }))).toEqual({ code: Code.Unimplemented, message: 'service no.Such' })
    check()
  })

  it('stream both ways', async () => {
    const { connection, check } = replay('stream both ways')
    const call = createClient(StreamingDefinition, connection).stream()
    for (const typeUrl of ['a', '', 'c']) {
      const any = { typeUrl, value: new Uint8Array(typeUrl.length).fill(255) }
      call.send(any)
      expect(await call.responses.next()).toEqual({ done: false, value: any })
    }
    call.end()
    expect((await call.responses.next()).done).toBe(true)
    check()
  })

  it('stream that fails', async () => {
    const { connection, check } = replay('stream that fails')
    const call = createClient(StreamingDefinition, connection).stream()
    call.send({ typeUrl: 'fail' })
    expect(await failure(call.responses.next())).toEqual({ code: Code.Aborted, message: 'told to fail' })
    check()
  })

  it('streams one way', async () => {
    const down = replay('stream from the server')
    const ids: string[] = []
    for await (const { id } of createClient(oneWayDefinition, down.connection).down({ id: 'a' })) ids.push(id)
    expect(ids).toEqual(['a', '', 'c'])
    down.check()
    const up = replay('stream to the server')
    const call = createClient(oneWayDefinition, up.connection).up()
    call.send({ id: 'a' })
    call.send({ id: 'b' })
    call.end()
    expect(await call.response).toMatchObject({ id: 'ab' })
    up.check()
  })
})
