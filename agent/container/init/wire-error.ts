import { SysError } from '../../../native/ts/errno.ts'
import { Fault } from '../../../native/ts/fault.ts'

/** An error as it travels from init to its parent: whole, with its causes. */
export type WireError =
  | { kind: 'sys'; call: string; object: string; errno: number; fix?: string; cause?: WireError }
  | { kind: 'fault'; what: string; fix?: string; cause?: WireError }

/** Texts are cut here, so that a message stays far below the dialogue's limit. */
const maxText = 2000
/** Causes beyond this depth say nothing a user would read. */
const maxDepth = 6

function cut(text: string): string {
  return text.length > maxText ? `${text.slice(0, maxText)}…` : text
}

/** With its causes, as deep and as long as one message takes. */
export function toWire(error: unknown, depth = 0): WireError {
  const cause = error instanceof Error && error.cause !== undefined && depth < maxDepth ? { cause: toWire(error.cause, depth + 1) } : {}
  const fix = error instanceof SysError || error instanceof Fault ? error.fix : undefined
  const rest = { ...(fix === undefined ? {} : { fix: cut(fix) }), ...cause }
  if (error instanceof SysError) return { kind: 'sys', call: error.call, object: cut(error.object), errno: error.errno, ...rest }
  if (error instanceof Fault) return { kind: 'fault', what: cut(error.what), ...rest }
  return { kind: 'fault', what: cut(error instanceof Error ? `${error.name}: ${error.message} ${error.stack ?? ''}` : String(error)), ...rest }
}

/** The error as it was thrown in the other process, without its stack. */
export function fromWire(wire: WireError): Error {
  const options = {
    ...(wire.fix === undefined ? {} : { fix: wire.fix }),
    ...(wire.cause === undefined ? {} : { cause: fromWire(wire.cause) }),
  }
  return wire.kind === 'sys' ? new SysError(wire.call, wire.object, wire.errno, options) : new Fault(wire.what, options)
}
