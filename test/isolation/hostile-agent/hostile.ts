import { Connection } from '../../../native/ts/connection.ts'
import type { Fd } from '../../../native/ts/fd.ts'
import { accept } from '../../../native/ts/socket.ts'
import {
  CreateContainerRequest, CreateContainerResponse, CreateSandboxResponse, Event, ExecProcessRequest, ExecProcessResponse, SignalProcessRequest, type Stdio,
} from '../../../protocol/gen/agent.ts'
import { Request } from '../../../protocol/gen/ttrpc.ts'
import { encode } from '../../../protocol/message.ts'
import { FrameDecoder } from '../../../protocol/ttrpc/decoder.ts'
import { encodeAnswer } from '../../../protocol/ttrpc/envelope.ts'
import { encodeFrame, type Frame, MessageType } from '../../../protocol/ttrpc/frame.ts'

/** A call of the shim's: its stream, and what it asks. */
export interface Call { streamId: number; method: string; payload: Uint8Array }

/** What an attack does at a call, in place of the honest answer. */
export type Answer = (agent: Hostile, call: Call) => void
export interface Behaviour {
  /** By method (`StatsContainer`). */
  at?: Record<string, Answer>
  /** Called with each stream connection and its id. */
  onStream?: (agent: Hostile, stream: Connection, id: bigint) => void
  /** Takes no stream connections at all. */
  deafToStreams?: boolean
}

/** Bytes of a stream connection's header (shim/stdio/connect.ts). */
const headerBytes = 16
/** Of the control connection's queue, above which a flood waits for the shim to read. */
const floodQueueBytes = 1 << 20

/**
 * An agent that does what agent.proto asks, with no container behind it, until its attack says otherwise. It has the control
 * connection as bytes: what a ttrpc library would never send, this one can.
 */
export class Hostile {
  readonly control: Connection
  /** The streams of the container's first process. */
  stdio: Stdio | undefined
  containerId = ''
  /** Whether it closed the control connection by itself. */
  hasHungUp = false
  /** The stream on which the shim waits for events. */
  eventStream = 0
  readonly #decoder: FrameDecoder
  #behaviour: Behaviour = {}

  /** Takes ownership of both descriptors. `attacked` is called whenever the attack takes place. */
  constructor(control: Fd, private readonly streams: Fd, private readonly attacked: () => void = () => {}) {
    this.control = new Connection(control)
    this.#decoder = new FrameDecoder({ frame: frame => this.#frame(frame), oversize: () => {} })
    this.control.onData(bytes => this.#decoder.push(bytes))
  }

  /** From here on it does this attack; it takes stream connections from the first one on that is not deaf to them. */
  become(behaviour: Behaviour): void {
    this.#behaviour = behaviour
    if (behaviour.deafToStreams) this.attacked()
    else void this.#acceptAll(this.streams)
  }

  /** What its attack does at a call, or the honest answer. */
  react(call: Call): void {
    const answer = this.#behaviour.at?.[call.method]
    if (!answer) return this.honestly(call)
    this.attacked()
    answer(this, call)
  }

  /** Bytes on the control connection, as they are. */
  raw(...parts: readonly Uint8Array[]): void {
    for (const part of parts) this.control.write(part)
  }

  answer(streamId: number, payload: Uint8Array = new Uint8Array(0)): void {
    this.raw(encodeFrame(streamId, MessageType.response, 0, encodeAnswer(payload)))
  }

  /** Closes the control connection, and lives on. */
  hangUp(): void {
    this.hasHungUp = true
    this.control.close()
  }

  /** A response frame with this in the place of its envelope. */
  envelope(streamId: number, bytes: Uint8Array): void {
    this.raw(encodeFrame(streamId, MessageType.response, 0, bytes))
  }

  tell(event: NonNullable<Event['event']>): void {
    this.raw(encodeFrame(this.eventStream, MessageType.data, 0, encode(Event, { event })))
  }

  exit(containerId: string, exitStatus: number, more: { execId?: string; exitedAtNs?: bigint; pid?: number } = {}): void {
    this.tell({ $case: 'exit', value: { containerId, execId: '', pid: 2, exitedAtNs: 0n, ...more, exitStatus } })
  }

  /** The honest answer. */
  honestly(call: Call): void {
    const { streamId, payload } = call
    switch (call.method) {
      case 'Events':
        this.eventStream = streamId
        return
      case 'CreateSandbox':
        return this.answer(streamId, encode(CreateSandboxResponse, { agentVersion: 'hostile', onlineCpus: 1 }))
      case 'CreateContainer': {
        const request = CreateContainerRequest.decode(payload)
        this.stdio = request.stdio
        this.containerId = request.containerId
        return this.answer(streamId, encode(CreateContainerResponse, { pid: 2 }))
      }
      case 'ExecProcess':
        this.endStreams(ExecProcessRequest.decode(payload).stdio)
        return this.answer(streamId, encode(ExecProcessResponse, { pid: 3 }))
      case 'SignalProcess': {
        const { containerId, execId, signal } = SignalProcessRequest.decode(payload)
        this.answer(streamId)
        if (signal !== 9) return
        if (execId === '') this.endStreams(this.stdio)
        return this.exit(containerId, 137, { execId })
      }
      default:
        return this.answer(streamId)
    }
  }

  /** Tells that nothing was written. */
  endStreams(stdio: Stdio | undefined): void {
    for (const streamId of [stdio?.stdoutStream, stdio?.stderrStream]) if (streamId) this.tell({ $case: 'streamEnd', value: { streamId, bytes: 0n } })
  }

  /** Sends `chunk` for as long as the shim reads, `count` times at most. */
  flood(connection: Connection, chunk: Uint8Array, count = Infinity): void {
    const more = (): void => {
      while (connection.isOpen && connection.queuedBytes < floodQueueBytes && count-- > 0) connection.write(chunk)
      if (connection.isOpen && count > 0) setTimeout(more, 1)
    }
    more()
  }

  #frame({ streamId, type, data }: Frame): void {
    if (type !== MessageType.request) return
    const { method, payload } = Request.decode(data)
    this.react({ streamId, method, payload })
  }

  async #acceptAll(listener: Fd): Promise<void> {
    for (;;) this.#header(new Connection(await accept(listener)))
  }

  #header(stream: Connection): void {
    let header = new Uint8Array(0)
    stream.onData(bytes => {
      if (header.length === headerBytes) return
      header = Uint8Array.of(...header, ...bytes.subarray(0, headerBytes - header.length))
      if (header.length < headerBytes || !this.#behaviour.onStream) return
      this.attacked()
      this.#behaviour.onStream(this, stream, new DataView(header.buffer).getBigUint64(8, true))
    })
  }
}
