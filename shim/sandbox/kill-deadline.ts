import { realtimeNs, sleep } from '../../native/ts/clock.ts'
import { Fault } from '../../native/ts/fault.ts'
import type { Process } from '../process/process.ts'
import type { Container } from './container.ts'
import { killedStatus, type Sandbox } from './sandbox.ts'

/** Those that a deadline runs for: a client may send SIGKILL as often as it likes. */
const awaited = new WeakSet<Process>()

/**
 * Starts the time that a process has to end, once it is to be sent SIGKILL. The guest may not answer, or say that it was
 * done and never tell the end; a container that cannot be killed would keep its pod on the node for ever. So when the time is
 * over and the agent, asked once more, still has not told the end:
 *
 *   a container's init ─▶ the VM is ended, and with it whatever still runs
 *   an exec            ─▶ counts as killed: it ends with its container at the latest
 */
export function expectEnd(sandbox: Sandbox, container: Container, process: Process): void {
  // The freezer of cgroup v1 holds SIGKILL back until the container is resumed.
  if (awaited.has(process) || container.paused) return
  awaited.add(process)
  void judge(sandbox, container, process)
}

async function judge(sandbox: Sandbox, container: Container, process: Process): Promise<void> {
  const { killMs } = sandbox.limits
  await sleep(killMs)
  // What a guest that is slow knew of the end it tells before it answers.
  if (process.isAlive) await sandbox.pulse().catch(() => undefined)
  awaited.delete(process)
  if (!process.isAlive || container.paused) return
  const fault = new Fault(`${process.what} did not end within ${killMs} ms of SIGKILL`)
  if (process.names.execId === '') return sandbox.giveUp(fault)
  sandbox.ports.log.warn(`${fault.message}: it counts as killed`, { container: container.id })
  process.stopped({ status: killedStatus, atNs: realtimeNs() })
}
