import { O_NONBLOCK, O_RDONLY, O_WRONLY } from '../../native/ts/constants/fcntl.ts'
import { S_IFIFO, S_IFMT } from '../../native/ts/constants/stat.ts'
import { type Fd, open } from '../../native/ts/fd.ts'
import { fstat } from '../../native/ts/file.ts'
import type { StreamBroker } from '../streaming/broker.ts'
import type { InputRelay } from '../streaming/input.ts'

/** Where a process's input comes from on the host. */
export interface InputSource {
  /** Opens it once; the caller owns the descriptor. `finished`: no more is to come than what is there. Throws SysError. */
  open(finished: boolean): Fd
  /** Lets the input end after what was written. Idempotent. */
  finish(): void
  /** Gives up what is held to keep the input from ending. Idempotent. */
  close(): void
}

/**
 * A FIFO of the client's, or a plain file. A writer of our own keeps the input from ending while clients come and go
 * (a containerd restart, `ctr task attach`).
 */
export class FifoInput implements InputSource {
  #keeper: Fd | undefined

  constructor(private readonly path: string) {}

  open(finished: boolean): Fd {
    const source = open(this.path, O_RDONLY | O_NONBLOCK)
    try {
      const isFifo = (fstat(source.number, this.path).mode & S_IFMT) === S_IFIFO
      if (isFifo && !finished) this.#keeper = open(this.path, O_WRONLY | O_NONBLOCK)
      return source
    } catch (error) {
      source.close()
      throw error
    }
  }

  /** The end comes once every other writer has gone, too. */
  finish(): void {
    this.#keeper?.close()
  }

  close(): void {
    this.#keeper?.close()
  }
}

/** A stream that containerd opens at the shim's socket. */
export class StreamedInput implements InputSource {
  #relay: InputRelay | undefined

  constructor(private readonly broker: StreamBroker, private readonly id: string) {}

  open(finished: boolean): Fd {
    const { reader, relay } = this.broker.input(this.id)
    this.#relay = relay
    if (finished) relay.finish()
    return reader
  }

  finish(): void {
    this.#relay?.finish()
  }

  close(): void {
    this.#relay?.release()
  }
}
