import { Fault } from '../../native/ts/fault.ts'

/** How a process of the guest ended, as the agent (or the VMM's death) told. */
export interface ProcessExit {
  /** 0–255; 128 + signal for one that a signal killed. */
  status: number
  /** CLOCK_REALTIME nanoseconds. */
  atNs: bigint
}

/** Where a process is in its life. Init and exec processes share the states, not every way between them. */
export type ProcessState =
  /** Known to the shim alone: the container is being made, or an exec was added and not started. */
  | { readonly is: 'added' }
  /** Init only: the init sequence is done and waits before execve (OCI lifecycle, `created`). */
  | { readonly is: 'created' }
  /** The agent was asked to let it run; its answer is outstanding. */
  | { readonly is: 'starting' }
  | { readonly is: 'running' }
  | { readonly is: 'stopped'; readonly exit: ProcessExit }
  /** Gone for containerd too: its id may be used again. */
  | { readonly is: 'deleted'; readonly exit: ProcessExit }

export type ProcessStateName = ProcessState['is']

const moves: Readonly<Record<ProcessStateName, readonly ProcessStateName[]>> = {
  added: ['created', 'starting', 'stopped'],
  created: ['starting', 'stopped'],
  starting: ['running', 'stopped'],
  running: ['stopped'],
  stopped: ['deleted'],
  deleted: [],
}

/** Whether the transition table has the move. */
export function canMove(from: ProcessStateName, to: ProcessStateName): boolean {
  return moves[from].includes(to)
}

/** Gives `to`, or throws a Fault that names the process and both states. */
export function move(what: string, from: ProcessState, to: ProcessState): ProcessState {
  if (!canMove(from.is, to.is)) throw new Fault(`${what} cannot go from ${from.is} to ${to.is}`)
  return to
}
