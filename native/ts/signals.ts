import * as sys from 'native:sys'
import { EPOLLIN } from './constants/epoll.ts'
import { check, E, SysError } from './errno.ts'
import { Fd } from './fd.ts'

/** Signals as events of the loop (signalfd(2)): they are blocked for the process while this is open. */
export class Signals {
  readonly #fd: Fd
  #receive: (signal: number) => void = () => {}

  /** Throws SysError. */
  constructor(signals: number[]) {
    this.#fd = new Fd(check('signalfd', signals.join(','), sys.signalfd(signals)), 'signalfd')
    check('epoll_ctl', 'signalfd', sys.watch(this.#fd.number, EPOLLIN, () => this.#drain()))
    // Waiting for a signal alone is no reason for a process to stay.
    sys.unref(this.#fd.number)
  }

  onSignal(receive: (signal: number) => void): void {
    this.#receive = receive
  }

  close(): void {
    if (!this.#fd.open) return
    sys.unwatch(this.#fd.number)
    this.#fd.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #drain(): void {
    while (this.#fd.open) {
      const entry = sys.readSignalfd(this.#fd.number)
      if (typeof entry === 'number') {
        if (entry !== -E.EAGAIN) throw new SysError('read', 'signalfd', -entry)
        return
      }
      this.#receive(entry.signal)
    }
  }
}
