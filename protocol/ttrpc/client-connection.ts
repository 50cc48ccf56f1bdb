import { Response } from '../gen/ttrpc.ts'
import { decode } from '../message.ts'
import { FrameDecoder, type FrameSink } from './decoder.ts'
import { encodeRequest, failureOf } from './envelope.ts'
import { dataBytesMax, encodeFrame, Flag, type Frame, MessageType as FrameType, oversize } from './frame.ts'
import type { MessageStream } from './message-stream.ts'
import type { CallOptions } from './service.ts'
import { Code, RpcError } from './status.ts'
import { globalTimer, type StartTimer } from './timer.ts'
import type { Receiver, Transport } from './transport.ts'

/** Open until the transport ends, the server breaks the protocol, or close(); then closed for ever. */
type State = { is: 'open' } | { is: 'closed'; reason: RpcError }

/** Stream ids have 32 bits; clients use the odd ones, each once. */
const streamIdMax = 0xffff_ffff

/** What a call waits for. It is told once of its end, by `answer` or `fail`. */
export interface PendingCall {
  /** A response frame: the call's end. */
  answer(payload: Uint8Array): void
  /** Where data frames go; undefined: the method's answer is one response. */
  readonly responses: MessageStream<object> | undefined
  fail(error: RpcError): void
}

interface Call extends PendingCall {
  readonly what: string
  /** Stops the timer and the cancellation's callback. */
  readonly release: () => void
}

const nothing = new Uint8Array(0)

/** The calling side of one connection: many calls at a time, answered in any order. */
export class ClientConnection implements Receiver, FrameSink {
  #state: State = { is: 'open' }
  #nextStreamId = 1
  readonly #calls = new Map<number, Call>()
  readonly #decoder: FrameDecoder
  #resolveClosed: (error: Error | undefined) => void = () => {}
  /** Resolves when the connection has ended, with an error if it was not by close() or the server's orderly end. */
  readonly closed = new Promise<Error | undefined>(resolve => { this.#resolveClosed = resolve })

  /** `answerBytesMax`: a longer frame fails its call. */
  constructor(private readonly transport: Transport, private readonly startTimer: StartTimer = globalTimer, private readonly answerBytesMax = dataBytesMax) {
    this.#decoder = new FrameDecoder(this, answerBytesMax)
  }

  get isOpen(): boolean {
    return this.#state.is === 'open'
  }

  /** Ends the connection; calls that wait fail with Canceled. */
  close(): void {
    this.#end(new RpcError(Code.Canceled, 'the connection was closed on this side'), undefined)
  }

  receive(bytes: Uint8Array): void {
    if (this.#state.is === 'open') this.#decoder.push(bytes)
  }

  ended(error: Error | undefined): void {
    const why = error ? `: ${error.message}` : ' by the server'
    this.#end(new RpcError(Code.Unavailable, `the connection was closed${why}`, { cause: error }), error)
  }

  /** Starts a call; `flags` say whether requests follow. Its end is told to `pending`; the result is its stream id. */
  start(service: string, method: string, flags: number, payload: Uint8Array, options: CallOptions, pending: PendingCall): number {
    const what = `${service}/${method}`
    if (this.#state.is === 'closed') throw new RpcError(this.#state.reason.code, `${what}: ${this.#state.reason.message}`, { cause: this.#state.reason })
    options.cancelled?.throwIfCancelled()
    const streamId = this.#nextStreamId
    if (streamId > streamIdMax) throw new RpcError(Code.ResourceExhausted, `${what}: the connection's stream ids are used up; connect anew`)
    // Encoded first: a request that is too long uses no stream id.
    const frame = encodeFrame(streamId, FrameType.request, flags, encodeRequest(service, method, payload, options))
    this.#nextStreamId += 2
    this.#calls.set(streamId, { ...pending, what, release: this.#limit(streamId, what, options) })
    this.transport.write(frame)
    return streamId
  }

  /** One more request of a stream. Dropped when the call has ended: its end says why. */
  sendData(streamId: number, payload: Uint8Array): void {
    if (this.#calls.has(streamId)) this.transport.write(encodeFrame(streamId, FrameType.data, 0, payload))
  }

  endData(streamId: number): void {
    if (this.#calls.has(streamId)) this.transport.write(encodeFrame(streamId, FrameType.data, Flag.remoteClosed | Flag.noData, nothing))
  }

  /** Forgets a call: what the server still sends for it is ignored. */
  abandon(streamId: number): void {
    this.#take(streamId)
  }

  frame({ streamId, type, flags, data }: Frame): void {
    const call = this.#calls.get(streamId)
    if (call === undefined) this.#late(streamId)
    else if (type === FrameType.response) this.#response(streamId, data)
    else if (type === FrameType.data) this.#data(streamId, call, flags, data)
    // Other types are for later versions of the protocol, and ignored.
  }

  oversize(streamId: number, lengthBytes: number): void {
    if (this.#calls.has(streamId)) this.#fail(streamId, oversize(lengthBytes, this.answerBytesMax))
    else this.#late(streamId)
  }

  #response(streamId: number, data: Uint8Array): void {
    const call = this.#take(streamId)
    if (call === undefined) return
    try {
      const response = decode(Response, data)
      const failure = failureOf(response)
      if (failure) call.fail(failure)
      else call.answer(response.payload)
    } catch (error) {
      call.fail(broken(call.what, error))
    }
  }

  #data(streamId: number, call: Call, flags: number, data: Uint8Array): void {
    const { responses, what } = call
    if (responses === undefined) {
      this.#fail(streamId, new RpcError(Code.Internal, `${what}: the server sent a stream where one response was expected`))
      return
    }
    const isTaken = flags & Flag.noData ? true : responses.push(data)
    if (isTaken && !(flags & Flag.remoteClosed)) return
    this.#take(streamId)
    responses.end()
  }

  /** An answer to a call that timed out or was cancelled is nothing special; one to a call never made is a broken peer. */
  #late(streamId: number): void {
    if (streamId % 2 === 1 && streamId < this.#nextStreamId) return
    const error = new RpcError(Code.Internal, `the server broke the protocol: it sent a frame on stream ${streamId}, which was never opened`)
    this.#end(error, error)
  }

  #limit(streamId: number, what: string, { timeoutMs, cancelled }: CallOptions): () => void {
    const stopTimer = timeoutMs === undefined ? undefined : this.startTimer(timeoutMs, () => {
      this.#fail(streamId, new RpcError(Code.DeadlineExceeded, `${what}: no answer within ${timeoutMs} ms`))
    })
    const unsubscribe = cancelled?.onCancel(reason => this.#fail(streamId, reason))
    return () => {
      stopTimer?.()
      unsubscribe?.()
    }
  }

  #fail(streamId: number, error: RpcError): void {
    this.#take(streamId)?.fail(error)
  }

  #take(streamId: number): Call | undefined {
    const call = this.#calls.get(streamId)
    this.#calls.delete(streamId)
    call?.release()
    return call
  }

  #end(reason: RpcError, error: Error | undefined): void {
    if (this.#state.is === 'closed') return
    this.#state = { is: 'closed', reason }
    this.transport.close()
    for (const [streamId, { what }] of [...this.#calls]) {
      this.#fail(streamId, new RpcError(reason.code, `${what}: ${reason.message}`, { cause: reason.cause ?? reason }))
    }
    this.#resolveClosed(error)
  }
}

/** A server's answer that cannot be read: its fault, not the caller's. */
export function broken(what: string, error: unknown): RpcError {
  const reason = error instanceof Error ? error.message : String(error)
  return new RpcError(Code.Internal, `${what}: the server's answer cannot be read: ${reason}`, { cause: error })
}
