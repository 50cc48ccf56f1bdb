import { Fault } from '../../native/ts/fault.ts'
import type { Container } from './container.ts'

/** Thaws a paused container; resolves when it runs again. */
export async function resumeContainer(container: Container): Promise<void> {
  const status = container.status()
  if (status !== 'paused') throw new Fault(`container ${container.id} cannot be resumed: it is ${status}`)
  await container.cgroup.thaw()
}
