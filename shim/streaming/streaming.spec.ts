import { beforeEach, describe, expect, it } from 'vitest'
import { fake } from '../../native/ts/fake/sys.ts'
import { packAny, unpackAny } from '../../protocol/any.ts'
import type { Any } from '../../protocol/gen/google/protobuf/any.ts'
import { StreamInit, StreamingDefinition } from '../../protocol/gen/streaming.ts'
import { Data, WindowUpdate } from '../../protocol/gen/transfer.ts'
import { connect, createClient } from '../../protocol/ttrpc/client.ts'
import { Server } from '../../protocol/ttrpc/server.ts'
import { memoryPair } from '../agent-double.ts'
import { StreamBroker } from './broker.ts'
import { registerStreamingService } from './service.ts'

const data = (text: string): Any => packAny('containerd.types.transfer.Data', Data, { data: new TextEncoder().encode(text) })
const window = (update: number): Any => packAny('containerd.types.transfer.WindowUpdate', WindowUpdate, { update })

/** containerd's end of one stream. */
class Client {
  readonly sent
  readonly received: AsyncIterator<Any>
  readonly hangUp: () => void

  constructor(server: Server, id: string) {
    const [ours, theirs] = memoryPair()
    server.serve(theirs)
    this.hangUp = () => ours.close()
    this.sent = createClient(StreamingDefinition, connect(ours)).stream()
    this.received = this.sent.responses
    this.sent.send(packAny('containerd.services.streaming.v1.StreamInit', StreamInit, { id }))
  }

  async acknowledged(): Promise<this> {
    expect((await this.received.next()).value).toMatchObject({ typeUrl: 'google.protobuf.Empty' })
    return this
  }

  async text(): Promise<string | undefined> {
    const message = await this.received.next()
    return message.done ? undefined : new TextDecoder().decode(unpackAny(Data, message.value).data)
  }
}

/** A pipe of the fake with contents: what its write end got, its read end gives. */
function pipes(): { put: (text: string) => void; end: () => void; written: () => string } {
  let waiting: number[] = []
  let ended = false
  let written = ''
  fake.onCall('read', (_fd, buffer: Uint8Array, offset: number, length: number) => {
    const taken = waiting.splice(0, length)
    buffer.set(taken, offset)
    return taken.length > 0 ? taken.length : ended ? 0 : -11
  })
  fake.onCall('write', (_fd, bytes: Uint8Array, offset: number, length: number) => {
    written += new TextDecoder().decode(bytes.subarray(offset, offset + length))
    return length
  })
  fake.onCall('watch', (_fd, _events, callback: (seen: number) => void) => {
    const look = (): void => { if (waiting.length > 0 || ended) callback(1); else setTimeout(look, 1) }
    look()
    return 0
  })
  return { put: text => { waiting.push(...new TextEncoder().encode(text)) }, end: () => { ended = true }, written: () => written }
}

let server: Server
let broker: StreamBroker
beforeEach(() => {
  fake.reset()
  server = new Server()
  broker = new StreamBroker()
  registerStreamingService(server, broker)
})

describe('streaming I/O', () => {
  it('acknowledges a stream before its process exists, and sends its output as the window allows, to the end', async () => {
    const pipe = pipes()
    const client = await new Client(server, 'c1-stdout').acknowledged()
    const { gone } = broker.output('c1-stdout', new Promise(() => {}))
    let isGone = false
    void gone.then(() => { isGone = true })
    pipe.put('hello world')
    client.sent.send(window(5))
    expect(await client.text()).toBe('hello')
    // An exit that is told now would make containerd cut the rest off.
    expect(isGone).toBe(false)
    client.sent.send(window(100))
    expect(await client.text()).toBe(' world')
    pipe.end()
    expect(await client.text()).toBeUndefined()
    await gone
  })

  it('goes on with the next connection when containerd starts anew, without a byte lost that no window took', async () => {
    const pipe = pipes()
    const first = await new Client(server, 'c1-stdout').acknowledged()
    broker.output('c1-stdout', new Promise(() => {}))
    first.hangUp()
    pipe.put('kept')
    const second = await new Client(server, 'c1-stdout').acknowledged()
    second.sent.send(window(100))
    expect(await second.text()).toBe('kept')
  })

  it('takes input, grants as much again, and ends it at CloseIO and not when containerd goes', async () => {
    const pipe = pipes()
    const client = await new Client(server, 'c1-stdin').acknowledged()
    const { relay } = broker.input('c1-stdin')
    expect(unpackAny(WindowUpdate, (await client.received.next()).value as Any).update).toBe(65_536)
    client.sent.send(data('abc'))
    expect(unpackAny(WindowUpdate, (await client.received.next()).value as Any).update).toBe(3)
    expect(pipe.written()).toBe('abc')
    client.hangUp()
    // Both ends of the pipe, then the reader's alone.
    const held = (): number => fake.held().fds.length
    await new Promise(resolve => setTimeout(resolve, 5))
    expect(held()).toBe(2)
    relay.finish()
    await expect.poll(held).toBe(1)
  })

  it('refuses a stream id that is in use, and a call that does not begin with StreamInit', async () => {
    pipes()
    broker.output('c1-stdout', new Promise(() => {}))
    expect(() => broker.output('c1-stdout', new Promise(() => {}))).toThrow('stream c1-stdout is in use')
    const [ours, theirs] = memoryPair()
    server.serve(theirs)
    const call = createClient(StreamingDefinition, connect(ours)).stream()
    call.send(data('x'))
    await expect(call.responses.next()).rejects.toThrow('a stream begins with StreamInit')
  })
})
