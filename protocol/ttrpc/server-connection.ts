/**
 * The serving side of one connection:
 *
 *   client                                server
 *     ├─ request ───────────────────────────▶ │  handler starts; others go on
 *     ├─ data … (if the method takes a stream) ▶ │  its requests
 *     ├─ data [remote closed, no data] ───────▶ │  its requests end
 *     │ ◀──────────── data … (if it gives one) ─┤  what it yields
 *     │ ◀── response, or data [remote closed] ──┤  it returned, or threw
 */
import { Request } from '../gen/ttrpc.ts'
import { decode, encode } from '../message.ts'
import { type Cancellation, CancellationSource, untilCancelled } from './cancellation.ts'
import { FrameDecoder, type FrameSink } from './decoder.ts'
import { encodeAnswer, encodeFailure, timeoutOf } from './envelope.ts'
import { encodeFrame, Flag, type Frame, MessageType, oversize } from './frame.ts'
import { MessageStream } from './message-stream.ts'
import { decodeMetadata, type Metadata } from './metadata.ts'
import type { Route } from './server.ts'
import type { CallContext } from './service.ts'
import { Code, RpcError } from './status.ts'
import type { StartTimer } from './timer.ts'
import type { Receiver, Transport } from './transport.ts'

/** What a connection asks of its server. */
export interface ServerPorts {
  /** Throws RpcError when there is none. */
  route(service: string, method: string): Route
  toRpcError(error: unknown): RpcError
  readonly startTimer: StartTimer
}

/** Open until the transport ends or close() is called, then closed for ever. */
type State = { is: 'open' } | { is: 'closed' }

/** A call that is being handled. */
interface Call {
  readonly streamId: number
  readonly cancellation: CancellationSource
  /** Further requests; undefined: the method takes one, and has it. */
  readonly requests: MessageStream<object> | undefined
  readonly stopTimer: (() => void) | undefined
}

const nothing = new Uint8Array(0)

/** Reads requests from one client and answers them, many at a time. */
export class ServerConnection implements Receiver, FrameSink {
  #state: State = { is: 'open' }
  #lastStreamId = 0
  readonly #calls = new Map<number, Call>()
  readonly #decoder = new FrameDecoder(this)
  #resolveClosed: (error: Error | undefined) => void = () => {}
  /** Resolves when the connection has ended, with the transport's error if it had one. */
  readonly closed = new Promise<Error | undefined>(resolve => { this.#resolveClosed = resolve })

  constructor(private readonly transport: Transport, private readonly ports: ServerPorts) {}

  /** Calls whose handlers have not ended. */
  get activeCalls(): number {
    return this.#calls.size
  }

  /** Ends the connection; calls are cancelled and no longer answered. */
  close(): void {
    this.ended(undefined)
    this.transport.close()
  }

  receive(bytes: Uint8Array): void {
    if (this.#state.is === 'open') this.#decoder.push(bytes)
  }

  ended(error: Error | undefined): void {
    if (this.#state.is === 'closed') return
    this.#state = { is: 'closed' }
    const reason = new RpcError(Code.Canceled, 'the client\'s connection ended', { cause: error })
    for (const call of [...this.#calls.values()]) {
      call.cancellation.cancel(reason)
      call.requests?.fail(reason)
    }
    this.#resolveClosed(error)
  }

  oversize(streamId: number, lengthBytes: number): void {
    this.#refuse(streamId, oversize(lengthBytes))
  }

  /** Refusals are in Go ttrpc's words and codes (server.go); they name the stream, and the connection goes on. */
  frame(frame: Frame): void {
    if (this.#state.is === 'closed') return
    const { streamId, type } = frame
    if (streamId % 2 !== 1) this.#refuse(streamId, invalid('StreamID must be odd for client initiated streams'))
    else if (type === MessageType.request) this.#request(frame)
    else if (type === MessageType.data) this.#data(frame)
    // Other types are for later versions of the protocol, and ignored.
  }

  #request({ streamId, flags, data }: Frame): void {
    if (streamId <= this.#lastStreamId) {
      this.#refuse(streamId, invalid('StreamID cannot be re-used and must increment'))
      return
    }
    this.#lastStreamId = streamId
    try {
      const request = decode(Request, data)
      const route = this.ports.route(request.service, request.method)
      if (route.requestStream) this.#startStreaming(streamId, flags, request, route)
      else this.#start(streamId, request, route, decode(route.requestType, request.payload), undefined)
    } catch (error) {
      this.#refuse(streamId, this.#toRpcError(error))
    }
  }

  #startStreaming(streamId: number, flags: number, request: Request, route: Route): void {
    const requests = new MessageStream<object>(route.requestType)
    // Go's clients open such a stream with an empty request; one that is not empty is the first of the stream.
    if (request.payload.length > 0) requests.push(request.payload)
    if (!(flags & Flag.remoteOpen)) requests.end()
    this.#start(streamId, request, route, requests, requests)
  }

  #start(streamId: number, request: Request, route: Route, input: object, requests: MessageStream<object> | undefined): void {
    const cancellation = new CancellationSource()
    const timeoutMs = timeoutOf(request)
    const stopTimer = timeoutMs === undefined ? undefined : this.ports.startTimer(timeoutMs, () => {
      const reason = new RpcError(Code.DeadlineExceeded, `${request.service}/${request.method} took longer than the ${timeoutMs} ms its client allowed`)
      cancellation.cancel(reason)
      requests?.fail(reason)
    })
    const call: Call = { streamId, cancellation, requests, stopTimer }
    this.#calls.set(streamId, call)
    void this.#answer(call, route, input, new Context(request, timeoutMs, cancellation))
  }

  /** Never rejects: what a handler throws is its answer. */
  async #answer(call: Call, route: Route, input: object, context: CallContext): Promise<void> {
    try {
      const answer = route.handle(input, context)
      if (route.responseStream) await this.#answerStream(call, route, answer as AsyncIterable<object>) // register() typed it so
      else this.#send(call.streamId, MessageType.response, 0, encodeAnswer(encode(route.responseType, await (answer as Promise<object>)))) // as above
    } catch (error) {
      this.#refuse(call.streamId, this.#toRpcError(error))
    } finally {
      this.#calls.delete(call.streamId)
      call.stopTimer?.()
      call.requests?.end()
    }
  }

  /** Cancelled, it leaves at once: a handler that waits for its next item may wait for ever. */
  async #answerStream({ streamId, cancellation }: Call, route: Route, answers: AsyncIterable<object>): Promise<void> {
    const iterator = answers[Symbol.asyncIterator]()
    let hasEnded = false
    try {
      while (!hasEnded) {
        const item = await untilCancelled(iterator.next(), cancellation)
        hasEnded = item.done === true
        if (!item.done) this.#send(streamId, MessageType.data, 0, encode(route.responseType, item.value))
      }
      this.#send(streamId, MessageType.data, Flag.remoteClosed | Flag.noData, nothing)
    } finally {
      if (!hasEnded) leave(iterator)
    }
  }

  #data({ streamId, flags, data }: Frame): void {
    const call = this.#calls.get(streamId)
    const hasMessage = !(flags & Flag.noData)
    if (call === undefined || (hasMessage && call.requests === undefined)) {
      this.#refuse(streamId, invalid('StreamID is no longer active'))
      return
    }
    if (hasMessage) call.requests?.push(data)
    if (flags & Flag.remoteClosed) call.requests?.end()
  }

  #refuse(streamId: number, error: RpcError): void {
    this.#send(streamId, MessageType.response, 0, encodeFailure(error))
  }

  #send(streamId: number, type: number, flags: number, data: Uint8Array): void {
    if (this.#state.is === 'open') this.transport.write(encodeFrame(streamId, type, flags, data))
  }

  #toRpcError(error: unknown): RpcError {
    return error instanceof RpcError ? error : this.ports.toRpcError(error)
  }
}

/** Metadata is decoded only for the handler that asks. */
class Context implements CallContext {
  #metadata: Metadata | undefined

  constructor(private readonly request: Request, readonly timeoutMs: number | undefined, readonly cancelled: Cancellation) {}

  get service(): string {
    return this.request.service
  }

  get method(): string {
    return this.request.method
  }

  get metadata(): Metadata {
    return (this.#metadata ??= decodeMetadata(this.request.metadata))
  }
}

/** Lets an iterator release what it holds. Nobody waits for it or wants its errors: the call has failed already. */
function leave(iterator: AsyncIterator<object>): void {
  void (async () => iterator.return?.())().catch(() => {})
}

function invalid(message: string): RpcError {
  return new RpcError(Code.InvalidArgument, message)
}
