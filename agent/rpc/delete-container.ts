import { Fault } from '../../native/ts/fault.ts'
import type { DeleteContainerRequest } from '../../protocol/gen/agent.ts'
import { wrongState } from '../refusal.ts'
import type { Sandbox } from '../sandbox/sandbox.ts'

/** DeleteContainer: execs and init (with force), cgroup, then streams. Failed, it can be asked for again. */
export async function deleteContainer(sandbox: Sandbox, { containerId, force }: DeleteContainerRequest): Promise<object> {
  const known = sandbox.container(containerId)
  // A creation that is under way is waited for: half a container cannot be deleted, and it may end by itself.
  if (force && known.state.is === 'creating') await known.state.settled
  if (known.state.is === 'creating' && !sandbox.containers.includes(known)) return {}
  const status = known.container.status()
  if (!force && status !== 'stopped') throw wrongState(`container ${containerId} cannot be deleted: it is ${status}`)
  const container = known.deleting()
  try {
    await container.delete(force)
  } catch (cause) {
    known.undeleted(container)
    throw new Fault(`delete container ${containerId}`, { cause })
  }
  known.closeProcesses()
  sandbox.sources.release(containerId)
  sandbox.remove(containerId)
  return {}
}
