import type { OnlySandbox } from '../sandbox/only-sandbox.ts'
import type { Log } from '../log.ts'

/** What every method of the sandbox service works on. */
export interface SandboxContext {
  only: OnlySandbox
  log: Log
  /** Ends the shim, once the answer to the present request is sent. */
  exit: () => void
}
