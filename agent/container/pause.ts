import { Fault } from '../../native/ts/fault.ts'
import type { Container } from './container.ts'

/** Freezes every process; resolves when they are. */
export async function pauseContainer(container: Container): Promise<void> {
  const status = container.status()
  if (status !== 'running' && status !== 'created') throw new Fault(`container ${container.id} cannot be paused: it is ${status}`)
  await container.cgroup.freeze()
}
