/** The test's end of an agent's connections: its service, its events, its streams. As the shim holds them. */
import { once } from 'node:events'
import { connect as dial, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { AgentDefinition, type Event } from '../../protocol/gen/agent.ts'
import { connect, createClient } from '../../protocol/ttrpc/client.ts'
import type { Connection } from '../../protocol/ttrpc/transport.ts'

type Told = NonNullable<Event['event']>
type Case = Told['$case']
type Value<K extends Case> = Extract<Told, { $case: K }>['value']

/** What takes longer has failed. */
const eventLimitMs = 30_000

export interface Surroundings {
  /** Where containers' root directories lie, as the agent sees them. */
  rootfs: string
  /** A connection to the agent's stream port. */
  dialStream: () => Promise<Socket>
  /** What the agent printed. */
  console: () => string
}

export class AgentEnd {
  readonly events: Told[] = []
  readonly #watchers = new Set<() => void>()
  readonly agent

  constructor(control: Duplex, readonly surroundings: Surroundings) {
    this.agent = createClient(AgentDefinition, connect(over(control)))
    void this.#read()
  }

  /** Opens the host's end of a stream, with its header sent. */
  async stream(id: bigint): Promise<Socket> {
    const socket = await this.surroundings.dialStream()
    const header = Buffer.alloc(16)
    header.write('KTSTREAM', 'latin1')
    header.writeBigUInt64LE(id, 8)
    socket.write(header)
    return socket
  }

  /** The first event of a kind that `is` accepts, past or to come. */
  async event<K extends Case>(kind: K, is: (value: Value<K>) => boolean): Promise<Value<K>> {
    const found = await new Promise<Told>((resolve, reject) => {
      const look = (): void => {
        const event = this.events.find(event => event.$case === kind && is(event.value as Value<K>)) // its kind was just compared
        if (!event) return
        clearTimeout(timer)
        this.#watchers.delete(look)
        resolve(event)
      }
      const timer = setTimeout(() => reject(new Error(`no event ${kind}; the last ones: ${this.#lastEvents()}\n${this.surroundings.console()}`)), eventLimitMs)
      this.#watchers.add(look)
      look()
    })
    return found.value as Value<K> // as above
  }

  #lastEvents(): string {
    return JSON.stringify(this.events.slice(-20), (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value))
  }

  async #read(): Promise<void> {
    try {
      for await (const { event } of this.agent.events({})) {
        if (event) this.events.push(event)
        for (const look of [...this.#watchers]) look()
      }
    } catch {
      // The connection's end, which the tests see by other means.
    }
  }
}

function over(socket: Duplex): Connection {
  return {
    write: bytes => void socket.write(bytes),
    close: () => void socket.destroy(),
    onData: receive => void socket.on('data', receive),
    onClose: closed => void socket.on('error', () => {}).on('close', () => closed(undefined)),
  }
}

/** A connected unix socket. */
export async function dialUnix(path: string): Promise<Socket> {
  const socket = dial({ path, allowHalfOpen: true })
  socket.on('error', () => {})
  await once(socket, 'connect')
  return socket
}
