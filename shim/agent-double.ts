import { AgentDefinition, type Event } from '../protocol/gen/agent.ts'
import { Queue } from '../protocol/ttrpc/queue.ts'
import { Server } from '../protocol/ttrpc/server.ts'
import type { Handlers } from '../protocol/ttrpc/service.ts'
import { Code, RpcError } from '../protocol/ttrpc/status.ts'
import type { Connection } from '../protocol/ttrpc/transport.ts'

type AgentHandlers = Handlers<typeof AgentDefinition>

/** One end of a connection in memory. */
class MemoryConnection implements Connection {
  peer: MemoryConnection | undefined
  #data: (bytes: Uint8Array) => void = () => {}
  #closed: (error: Error | undefined) => void = () => {}
  #open = true

  write(bytes: Uint8Array): void {
    const copy = bytes.slice()
    queueMicrotask(() => this.peer?.arrive(copy))
  }

  close(): void {
    if (!this.#open) return
    this.#open = false
    queueMicrotask(() => {
      this.#closed(undefined)
      this.peer?.close()
    })
  }

  onData(receive: (bytes: Uint8Array) => void): void {
    this.#data = receive
  }

  onClose(closed: (error: Error | undefined) => void): void {
    this.#closed = closed
  }

  arrive(bytes: Uint8Array): void {
    if (this.#open) this.#data(bytes)
  }
}

/** Two ends of one connection, without a kernel between. */
export function memoryPair(): [Connection, Connection] {
  const [a, b] = [new MemoryConnection(), new MemoryConnection()]
  a.peer = b
  b.peer = a
  return [a, b]
}

/**
 * An agent for tests: it speaks agent.proto over any connection, notes what it is asked, and does
 * what the test says, lies included. Without `handlers` of the test it agrees to everything.
 */
export class AgentDouble {
  /** `CreateContainer c1`, `ExecProcess c1/e1`, …: in the order of arrival. */
  readonly calls: string[] = []
  readonly #events = new Queue<Event>()
  #link: { close(): void } | undefined

  constructor(private readonly handlers: Partial<AgentHandlers> = {}) {}

  /** Serves `connection`. */
  serve(connection: Connection): void {
    const server = new Server({ toRpcError: error => new RpcError(Code.Unknown, String(error)) })
    const agreed: AgentHandlers = {
      createSandbox: () => ({ agentVersion: 'double', onlineCpus: 1 }),
      destroySandbox: () => ({}),
      createContainer: () => ({ pid: 2 }),
      startContainer: () => ({}),
      deleteContainer: () => ({}),
      pauseContainer: () => ({}),
      resumeContainer: () => ({}),
      updateContainer: () => ({}),
      statsContainer: () => ({}),
      statsSandbox: () => ({}),
      resizeSandbox: request => ({ onlineCpus: request.onlineCpus }),
      listProcesses: () => ({ pids: [2] }),
      execProcess: () => ({ pid: 3 }),
      signalProcess: () => ({}),
      resizePty: () => ({}),
      closeStdin: () => ({}),
      updateNetwork: () => ({}),
      connectPort: () => ({}),
      closePortInput: () => ({}),
      releaseDisk: () => ({}),
      setVolume: () => ({}),
      removeVolume: () => ({}),
      events: () => this.#events,
      setClock: () => ({}),
    }
    const told = Object.entries({ ...agreed, ...this.handlers }).map(([name, handler]) => [name, (request: object, context: never) => {
      this.calls.push(callName(name, request))
      return (handler as (request: never, context: never) => unknown)(request as never, context) // handlers of one service, called with the request of their own method
    }])
    server.register(AgentDefinition, Object.fromEntries(told) as AgentHandlers) // the same keys as `agreed`
    this.#link = server.serve(connection)
  }

  /** Tells the shim an event. */
  tell(event: NonNullable<Event['event']>): void {
    this.#events.push({ event })
  }

  exit(containerId: string, execId: string, exitStatus: number): void {
    this.tell({ $case: 'exit', value: { containerId, execId, pid: 2, exitStatus, exitedAtNs: 0n } })
  }

  /** Goes away without a word. */
  die(): void {
    this.#link?.close()
  }
}

function callName(method: string, request: object): string {
  const container = 'containerId' in request ? ` ${String(request.containerId)}` : ''
  const exec = 'execId' in request && request.execId !== '' ? `/${String(request.execId)}` : ''
  return `${method}${container}${exec}`
}
