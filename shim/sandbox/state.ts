import { Fault } from '../../native/ts/fault.ts'

/** Where a sandbox (one microVM and its agent) is in its life. */
export type SandboxState =
  /** VMM and guest are starting; requests wait. */
  | { readonly is: 'booting' }
  /** The agent has answered CreateSandbox. */
  | { readonly is: 'ready' }
  /** Start-up failed, and what it had taken is released; every request is told `error`. */
  | { readonly is: 'failed'; readonly error: Error }
  /** VMM or agent died under running containers; they count as killed, requests are told `error`. */
  | { readonly is: 'dead'; readonly error: Error }
  /** Shutdown was asked for. */
  | { readonly is: 'stopping' }
  /** Nothing of the sandbox is left on the host. */
  | { readonly is: 'stopped' }

export type SandboxStateName = SandboxState['is']

const moves: Readonly<Record<SandboxStateName, readonly SandboxStateName[]>> = {
  booting: ['ready', 'failed', 'stopping'],
  ready: ['dead', 'stopping'],
  failed: ['stopping'],
  dead: ['stopping'],
  stopping: ['stopped'],
  stopped: [],
}

/** Whether the transition table has the move. */
export function canMove(from: SandboxStateName, to: SandboxStateName): boolean {
  return moves[from].includes(to)
}

/** Gives `to`, or throws a Fault that names both states. */
export function move(from: SandboxState, to: SandboxState): SandboxState {
  if (!canMove(from.is, to.is)) throw new Fault(`the sandbox cannot go from ${from.is} to ${to.is}`)
  return to
}
