import { decode, encode, type MessageType } from '../message.ts'
import { broken, ClientConnection } from './client-connection.ts'
import { Flag } from './frame.ts'
import { MessageStream } from './message-stream.ts'
import type { CallOptions, Client, MethodDefinition, Sender, ServiceDefinition } from './service.ts'
import type { RpcError } from './status.ts'
import type { StartTimer } from './timer.ts'
import { attach, type Connection } from './transport.ts'

export interface ConnectOptions {
  /** Owns the time of the calls' limits. */
  startTimer?: StartTimer
  /** The longest frame that the server may send; default: what ttrpc allows. */
  answerBytesMax?: number
}

/** Makes calls over `connection`, which must be used for nothing else. Its end fails the calls that wait. */
export function connect(connection: Connection, { startTimer, answerBytesMax }: ConnectOptions = {}): ClientConnection {
  return attach(connection, new ClientConnection(connection, startTimer, answerBytesMax))
}

/** A method for each of the service's; all fail with RpcError. */
export function createClient<S extends ServiceDefinition>(definition: S, connection: ClientConnection): Client<S> {
  const methods = Object.entries(definition.methods).map(([key, method]) => [key, bind(connection, definition.fullName, method)])
  return Object.fromEntries(methods) as Client<S> // each by its kind, as ClientMethod says
}

type AnyMethod = (request: object, options?: CallOptions) => unknown

function bind(connection: ClientConnection, service: string, method: MethodDefinition): AnyMethod {
  if (!method.requestStream && !method.responseStream) return (request, options) => callUnary(connection, service, method, request, options)
  if (!method.requestStream) return (request, options) => callServerStream(connection, service, method, request, options)
  // Without a request, the options come first.
  if (!method.responseStream) return options => callClientStream(connection, service, method, options)
  return options => callBoth(connection, service, method, options)
}

const nothing = new Uint8Array(0)
const noOptions: CallOptions = {}

function callUnary(connection: ClientConnection, service: string, method: MethodDefinition, request: object, options = noOptions): Promise<object> {
  return new Promise((resolve, reject) => {
    connection.start(service, method.name, 0, encode(method.requestType, request), options, {
      responses: undefined,
      answer: payload => settle(`${service}/${method.name}`, method.responseType, payload, resolve, reject),
      fail: reject,
    })
  })
}

function settle(what: string, type: MessageType<object>, payload: Uint8Array, resolve: (answer: object) => void, reject: (error: RpcError) => void): void {
  try {
    resolve(decode(type, payload))
  } catch (error) {
    reject(broken(what, error))
  }
}

function callServerStream(connection: ClientConnection, service: string, method: MethodDefinition, request: object, options = noOptions): MessageStream<object> {
  return openStream(connection, service, method, Flag.remoteClosed, request, options).stream
}

function callBoth(connection: ClientConnection, service: string, method: MethodDefinition, options = noOptions): Sender<object> & { responses: MessageStream<object> } {
  const { stream, id } = openStream(connection, service, method, Flag.remoteOpen, undefined, options)
  return { ...sender(connection, method, id), responses: stream }
}

/** A stream that cannot be opened fails when it is read, as one that breaks later. */
function openStream(connection: ClientConnection, service: string, method: MethodDefinition, flags: number, request: object | undefined, options: CallOptions): { stream: MessageStream<object>; id: number } {
  let id = 0
  const stream = new MessageStream<object>(method.responseType, () => connection.abandon(id))
  try {
    const payload = request ? encode(method.requestType, request) : nothing
    id = connection.start(service, method.name, flags, payload, options, {
      responses: stream,
      // A response instead of data is the stream's last message; an empty one only its end.
      answer: last => {
        if (last.length > 0) stream.push(last)
        stream.end()
      },
      fail: error => stream.fail(error),
    })
  } catch (error) {
    stream.fail(error)
  }
  return { stream, id }
}

function callClientStream(connection: ClientConnection, service: string, method: MethodDefinition, options = noOptions): Sender<object> & { response: Promise<object> } {
  let id = 0
  const response = new Promise<object>((resolve, reject) => {
    id = connection.start(service, method.name, Flag.remoteOpen, nothing, options, {
      responses: undefined,
      answer: payload => settle(`${service}/${method.name}`, method.responseType, payload, resolve, reject),
      fail: reject,
    })
  })
  return { ...sender(connection, method, id), response }
}

function sender(connection: ClientConnection, method: MethodDefinition, id: number): Sender<object> {
  return {
    send: fields => connection.sendData(id, encode(method.requestType, fields)),
    end: () => connection.endData(id),
  }
}
