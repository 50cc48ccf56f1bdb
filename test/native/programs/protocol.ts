/** protocol/ on the engine that runs it: its specs run on Node, whose text coding and numbers are another's. */
import * as sys from 'native:sys'
import type { Codec } from '../../../protocol/codec.ts'
import * as bootstrap from '../../../protocol/gen/bootstrap.ts'
import { Metrics as MetricsV1 } from '../../../protocol/gen/cgroups-v1.ts'
import { Metrics as MetricsV2 } from '../../../protocol/gen/cgroups-v2.ts'
import * as events from '../../../protocol/gen/events.ts'
import { ForwardRequest } from '../../../protocol/gen/forward.ts'
import { Any } from '../../../protocol/gen/google/protobuf/any.ts'
import * as sandbox from '../../../protocol/gen/sandbox.ts'
import * as task from '../../../protocol/gen/task.ts'
import { RuntimeInfo } from '../../../protocol/gen/types.ts'
import { decode, encode } from '../../../protocol/message.ts'
import { parseSpec } from '../../../protocol/oci/parse.ts'
import { connect, createClient } from '../../../protocol/ttrpc/client.ts'
import { loopback, LoopbackEnd } from '../../../protocol/ttrpc/loopback.ts'
import { Code, RpcError } from '../../../protocol/ttrpc/status.ts'
import { goServer } from '../../../protocol/vectors/go-server.ts'
import messages from '../../../protocol/vectors/messages.json'
import dialogues from '../../../protocol/vectors/ttrpc.json'
import { equal, ok, print, runCases } from './harness.ts'

/** include/uapi/linux/time.h; what others run meanwhile does not count. */
const CLOCK_PROCESS_CPUTIME_ID = 2

const codecs: Record<string, unknown> = { ...bootstrap, ...events, ...sandbox, ...task, ForwardRequest, Any, RuntimeInfo, 'io.containerd.cgroups.v1.Metrics': MetricsV1, 'io.containerd.cgroups.v2.Metrics': MetricsV2 }

function codecOf(name: string): Codec<object> {
  const codec = codecs[name] ?? codecs[name.slice(name.lastIndexOf('.') + 1)]
  ok(codec !== undefined, `no codec for ${name}`)
  return codec as Codec<object> // the generated modules have nothing else of a message's name
}

const fromHex = (hex: string) => Uint8Array.from(hex.match(/../g) ?? [], pair => Number.parseInt(pair, 16))
const toHex = (bytes: Uint8Array) => Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('')
const turn = () => new Promise<void>(resolve => setTimeout(resolve, 0))

await runCases({
  'containerd\'s messages are read, and written as they were': () => {
    for (const { name, type, hex } of messages) equal(toHex(encode(codecOf(type), decode(codecOf(type), fromHex(hex)))), hex, name)
  },

  'a Go client\'s frames are answered as by a Go server': async () => {
    for (const { name, frames } of dialogues) {
      if (name === 'request that is no protobuf' || name === 'message that is too long') continue // compared on Node
      const end = new LoopbackEnd(bytes => [bytes])
      goServer().serve(end)
      for (const { from, hex } of frames) {
        if (from !== 'client') continue
        end.deliver(fromHex(hex))
        await turn()
      }
      equal(end.written.map(toHex), frames.filter(({ from }) => from === 'server').map(({ hex }) => hex), name)
    }
  },

  'text of every kind survives, and what is no UTF-8 is replaced': () => {
    for (const text of ['', 'ascii', 'grün', '\ufeffmark', '🙂'.repeat(50), 'a\0b']) {
      const read = decode(events.TaskOOM, encode(events.TaskOOM, { containerId: text })).containerId
      equal(read, text)
    }
    equal(decode(events.TaskOOM, Uint8Array.of(10, 2, 0x61, 0xff)).containerId, 'a\ufffd')
  },

  'bytes that are no message fail as RpcError': () => {
    try {
      decode(task.CreateTaskRequest, Uint8Array.of(10, 5, 1))
    } catch (error) {
      ok(error instanceof RpcError && error.code === Code.InvalidArgument, String(error))
      return
    }
    throw new Error('nothing was thrown')
  },

  'a wrong spec is refused with its path': () => {
    try {
      parseSpec('{"ociVersion":"1.0.0","root":{"path":"r"},"process":{"user":{"uid":0,"gid":0},"args":[],"cwd":"/"}}')
    } catch (error) {
      equal(String(error), 'SpecError: config.json: process.args: empty; give the program to run (config.md#process)')
      return
    }
    throw new Error('nothing was thrown')
  },

  'a call there and back': async () => {
    const [near, far] = loopback()
    goServer().serve(far)
    const client = createClient(task.TaskDefinition, connect(near))
    const calls = 500
    let best = Infinity
    for (let round = 0; round < 5; round++) {
      const start = sys.clockGettime(CLOCK_PROCESS_CPUTIME_ID)
      for (let i = 0; i < calls; i++) await client.state({ id: 'c1' })
      best = Math.min(best, Number(sys.clockGettime(CLOCK_PROCESS_CPUTIME_ID) - start) / calls / 1000)
      near.written.length = far.written.length = 0
    }
    print(`State, both ends in one process, without sockets: ${best.toFixed(0)} µs of CPU\n`)
  },
})
