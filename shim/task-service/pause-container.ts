import { realtimeNs } from '../../native/ts/clock.ts'
import { SIGINT, SIGKILL, SIGTERM } from '../../native/ts/constants/signal.ts'
import { Refusal } from '../refusal.ts'
import type { Container } from '../sandbox/container.ts'

/**
 * A pod's pause container, played by the shim. Where kernels are shared its process holds the pod's namespaces and reaps;
 * here the VM holds them, so there is no process, and its life is a matter of signals alone: it can end, and the pod be
 * torn down, whatever state the guest is in.
 */

/** Signals at which pause ends, with the status that Kubernetes' own has (build/pause/linux/pause.c). Others it ignores, as PID 1 does. */
const endings: ReadonlyMap<number, number> = new Map([[SIGTERM, 0], [SIGINT, 0], [SIGKILL, 128 + SIGKILL]])

/** Does what the signal would do to pause. */
export function signalPause(container: Container, signal: number): void {
  const status = endings.get(signal)
  if (status !== undefined) container.init.stopped({ status, atNs: realtimeNs() })
}

/** The error for what needs a process. */
export function noProcesses(container: Container, what: string): Refusal {
  return new Refusal('precondition', `${what} is not possible in the pause container ${container.id}: it has no process in the guest`, {
    fix: 'choose a container of the pod',
  })
}
