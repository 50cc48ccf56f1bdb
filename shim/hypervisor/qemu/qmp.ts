import { Connection } from '../../../native/ts/connection.ts'
import { Fault } from '../../../native/ts/fault.ts'
import type { Fd } from '../../../native/ts/fd.ts'
import { encodeCommand, QmpDecoder, type QmpMessage } from './qmp-codec.ts'

interface Pending {
  command: string
  resolve: (value: unknown) => void
  reject: (error: Error) => void
}

/** Greeting awaited → `ready` after qmp_capabilities → `closed` for ever, with why. */
type State = { is: 'greeting' } | { is: 'ready' } | { is: 'closed'; error: Error }

/** A QMP session: commands with ids out, answers and events in. */
export class Qmp {
  #state: State = { is: 'greeting' }
  #version = ''
  #lastId = 0
  #event: (name: string, data: Record<string, unknown>) => void = () => {}
  #greeted: (error?: Error) => void = () => {}
  readonly #pending = new Map<number, Pending>()
  readonly #decoder = new QmpDecoder()
  readonly #connection: Connection

  /** Takes ownership of `fd`, a non-blocking socket to the VMM. */
  constructor(fd: Fd) {
    this.#connection = new Connection(fd)
    this.#connection.onData(bytes => this.#receive(bytes))
    this.#connection.onClose(error => this.#close(new Fault('the VMM closed its control channel', error === undefined ? {} : { cause: error })))
  }

  /** QEMU's version, once `handshake` is through. */
  get version(): string {
    return this.#version
  }

  onEvent(receive: (name: string, data: Record<string, unknown>) => void): void {
    this.#event = receive
  }

  /** Waits for the greeting and leaves negotiation mode. Rejects with Fault. */
  async handshake(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#greeted = error => (error ? reject(error) : resolve())
      if (this.#state.is === 'closed') reject(this.#state.error)
      else if (this.#version !== '') resolve()
    })
    await this.#send('qmp_capabilities')
    if (this.#state.is === 'greeting') this.#state = { is: 'ready' }
  }

  /** Runs a command; gives its `return`. Rejects with a Fault that names the command. */
  execute(command: string, args?: Record<string, unknown>): Promise<unknown> {
    if (this.#state.is === 'greeting') return Promise.reject(new Fault(`QMP ${command} before the handshake`))
    return this.#send(command, args)
  }

  /** As execute, with a descriptor for the VMM (`add-fd`, `getfd`); takes ownership of `fd`. */
  executeWithFd(command: string, fd: Fd, args?: Record<string, unknown>): Promise<unknown> {
    if (this.#state.is !== 'greeting') return this.#send(command, args, [fd])
    fd.close()
    return Promise.reject(new Fault(`QMP ${command} before the handshake`))
  }

  close(): void {
    this.#connection.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #send(command: string, args?: Record<string, unknown>, fds: readonly Fd[] = []): Promise<unknown> {
    if (this.#state.is === 'closed') {
      for (const fd of fds) fd.close()
      return Promise.reject(this.#state.error)
    }
    const id = ++this.#lastId
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { command, resolve, reject })
      this.#connection.writeWithFds(encodeCommand(id, command, args), fds)
    })
  }

  #receive(bytes: Uint8Array): void {
    try {
      for (const message of this.#decoder.push(bytes)) this.#take(message)
    } catch (error) {
      this.#close(error instanceof Error ? error : new Fault(String(error)))
      this.#connection.close()
    }
  }

  #take(message: QmpMessage): void {
    switch (message.kind) {
      case 'greeting':
        if (this.#version !== '') throw new Fault('second QMP greeting on one connection')
        this.#version = message.version
        this.#greeted()
        return
      case 'event':
        this.#event(message.name, message.data)
        return
      case 'return':
        this.#settle(message.id).resolve(message.value)
        return
      case 'error': {
        // An error without an id answers a line that QEMU could not read: no command of ours would be left to blame.
        if (message.id === undefined) throw new Fault(`QMP protocol error: ${message.errorClass}: ${message.description}`)
        const pending = this.#settle(message.id)
        pending.reject(new Fault(`QMP ${pending.command}: ${message.errorClass}: ${message.description}`))
      }
    }
  }

  #settle(id: number): Pending {
    const pending = this.#pending.get(id)
    if (!pending) throw new Fault(`QMP answer with id ${id}, which no command has`)
    this.#pending.delete(id)
    return pending
  }

  #close(error: Error): void {
    if (this.#state.is === 'closed') return
    this.#state = { is: 'closed', error }
    this.#greeted(error)
    for (const pending of this.#pending.values()) pending.reject(new Fault(`QMP ${pending.command} was not answered`, { cause: error }))
    this.#pending.clear()
  }
}
