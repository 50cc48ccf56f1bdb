import type { MessageOf, MessageType } from '../message.ts'
import type { Cancellation } from './cancellation.ts'
import type { MessageStream } from './message-stream.ts'
import type { Metadata, MetadataFields } from './metadata.ts'

/** A method as protocol/gen describes it. */
export interface MethodDefinition {
  readonly name: string
  readonly requestType: MessageType<object>
  readonly requestStream: boolean
  readonly responseType: MessageType<object>
  readonly responseStream: boolean
}

/** A service as protocol/gen describes it: `TaskDefinition` and the like. Keys are method names with a lower first letter. */
export interface ServiceDefinition {
  readonly fullName: string
  readonly methods: Readonly<Record<string, MethodDefinition>>
}

type Request<M extends MethodDefinition> = MessageOf<M['requestType']>
type Response<M extends MethodDefinition> = MessageOf<M['responseType']>

/** Picks by the method's kind; M's two flags are literal types in protocol/gen. */
type ByKind<M extends MethodDefinition, Unary, ServerStream, ClientStream, Both> =
  M['requestStream'] extends true
    ? M['responseStream'] extends true ? Both : ClientStream
    : M['responseStream'] extends true ? ServerStream : Unary

/** What a handler knows of its call besides the request. */
export interface CallContext {
  readonly service: string
  readonly method: string
  readonly metadata: Metadata
  /** What the client allowed when it called; undefined: no limit. */
  readonly timeoutMs: number | undefined
  /** Happens at the timeout and when the connection ends. A unary handler that goes on regardless is still answered for. */
  readonly cancelled: Cancellation
}

type MaybePromise<T> = T | Promise<T>

/** Fields left out of an answer have proto3's zero value. A throw is answered with its status. */
export type Handler<M extends MethodDefinition> = ByKind<
  M,
  (request: Request<M>, context: CallContext) => MaybePromise<Partial<Response<M>>>,
  (request: Request<M>, context: CallContext) => AsyncIterable<Partial<Response<M>>>,
  (requests: AsyncIterable<Request<M>>, context: CallContext) => MaybePromise<Partial<Response<M>>>,
  (requests: AsyncIterable<Request<M>>, context: CallContext) => AsyncIterable<Partial<Response<M>>>
>

/** A handler for each method of a service. */
export type Handlers<S extends ServiceDefinition> = { [K in keyof S['methods']]: Handler<S['methods'][K]> }

export interface CallOptions {
  /** Told to the server too; then the call fails with DeadlineExceeded. Absent: waits for ever. */
  timeoutMs?: number
  metadata?: MetadataFields
  /** Makes the call fail at once. ttrpc cannot tell the server: it goes on until its timeout. */
  cancelled?: Cancellation
}

/** The client's sending side of a stream. */
export interface Sender<T> {
  send(fields: Partial<T>): void
  /** No more is sent. */
  end(): void
}

/** What a call of a method takes and gives. */
export type ClientMethod<M extends MethodDefinition> = ByKind<
  M,
  (request: Partial<Request<M>>, options?: CallOptions) => Promise<Response<M>>,
  (request: Partial<Request<M>>, options?: CallOptions) => MessageStream<Response<M>>,
  (options?: CallOptions) => Sender<Request<M>> & { response: Promise<Response<M>> },
  (options?: CallOptions) => Sender<Request<M>> & { responses: MessageStream<Response<M>> }
>

/** A service as its client sees it. */
export type Client<S extends ServiceDefinition> = { readonly [K in keyof S['methods']]: ClientMethod<S['methods'][K]> }
