import type { MessageType } from '../message.ts'
import { ServerConnection, type ServerPorts } from './server-connection.ts'
import type { CallContext, Handlers, ServiceDefinition } from './service.ts'
import { Code, RpcError } from './status.ts'
import { globalTimer, type StartTimer } from './timer.ts'
import { attach, type Connection } from './transport.ts'

/** A handler, its types forgotten: the definition that was registered with it says what goes in and comes out. */
export interface Route {
  readonly requestType: MessageType<object>
  readonly requestStream: boolean
  readonly responseType: MessageType<object>
  readonly responseStream: boolean
  handle(request: unknown, context: CallContext): unknown
}

export interface ServerOptions {
  /** What to answer for a throw that is no RpcError. Default: Unknown, with the error's message. */
  toRpcError?: (error: unknown) => RpcError
  startTimer?: StartTimer
}

/** Serves ttrpc services over any number of connections. */
export class Server {
  readonly #services = new Map<string, Map<string, Route>>()
  readonly #ports: ServerPorts

  constructor(options: ServerOptions = {}) {
    this.#ports = {
      route: (service, method) => this.#route(service, method),
      toRpcError: options.toRpcError ?? unknown,
      startTimer: options.startTimer ?? globalTimer,
    }
  }

  /** Answers the calls of `definition` from `handlers`. A method without a handler is answered with Unimplemented. */
  register<S extends ServiceDefinition>(definition: S, handlers: Partial<Handlers<S>>): void {
    if (this.#services.has(definition.fullName)) throw new Error(`service ${definition.fullName} is registered already`)
    const routes = new Map<string, Route>()
    for (const [key, method] of Object.entries(definition.methods)) {
      const handler: unknown = handlers[key]
      if (typeof handler !== 'function') continue
      routes.set(method.name, { ...method, handle: (request, context) => handler.call(handlers, request, context) })
    }
    this.#services.set(definition.fullName, routes)
  }

  /** Serves `connection` until it ends. */
  serve(connection: Connection): ServerConnection {
    return attach(connection, new ServerConnection(connection, this.#ports))
  }

  /**
   * Throws Unimplemented in Go ttrpc's words: containerd takes exactly that code to mean an older shim, and does
   * without the service or method.
   */
  #route(service: string, method: string): Route {
    const routes = this.#services.get(service)
    if (routes === undefined) throw new RpcError(Code.Unimplemented, `service ${service}`)
    const route = routes.get(method)
    if (route === undefined) throw new RpcError(Code.Unimplemented, `method ${method}`)
    return route
  }
}

function unknown(error: unknown): RpcError {
  return new RpcError(Code.Unknown, error instanceof Error ? error.message : String(error), { cause: error })
}
