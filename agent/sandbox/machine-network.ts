import * as sys from 'native:sys'
import { CLONE_NEWNET } from '../../native/ts/constants/sched.ts'
import { check } from '../../native/ts/errno.ts'
import type { Fd } from '../../native/ts/fd.ts'

/** Where this process is, when it is not where it began: as process-wide as the namespaces themselves. */
let away: { machine: Fd; pod: Fd } | undefined

/** From now on the agent is in the network namespace `pod`. Both are taken over, for the agent's life. */
export function leftMachineNetwork(machine: Fd, pod: Fd): void {
  away = { machine, pod }
}

/**
 * What `work`, synchronous, gives in the machine's own network namespace: the one where new devices appear, and whose sockets
 * hear the kernel's events. What it opens stays there. Failing to come back ends the agent: it would do the pod's work elsewhere.
 */
export function inMachineNetwork<T>(work: () => T): T {
  if (!away) return work()
  check('setns', "the machine's network", sys.setns(away.machine.number, CLONE_NEWNET))
  try {
    return work()
  } finally {
    if (sys.setns(away.pod.number, CLONE_NEWNET) < 0) sys.exit(1)
  }
}
