import { Fault } from '../../native/ts/fault.ts'

/** An error that a client knows by the exit status, as runc's: 1 unless it says another one. */
export class ExitFault extends Fault {
  override readonly name: string = 'ExitFault'

  constructor(what: string, readonly status: number, options: { cause?: unknown } = {}) {
    super(what, options)
  }
}
