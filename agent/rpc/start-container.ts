import { Fault } from '../../native/ts/fault.ts'
import type { ContainerRequest } from '../../protocol/gen/agent.ts'
import { wrongState } from '../refusal.ts'
import type { Sandbox } from '../sandbox/sandbox.ts'

/** StartContainer: the answer comes when the container's program runs; its exit event, however soon, after that. */
export async function startContainer(sandbox: Sandbox, { containerId }: ContainerRequest): Promise<object> {
  const known = sandbox.container(containerId)
  const { container } = known
  const status = container.status()
  if (status !== 'created') throw wrongState(`container ${containerId} cannot be started: it is ${status}`)
  using _held = known.init.hold()
  try {
    await container.start()
    return {}
  } catch (cause) {
    throw new Fault(`start container ${containerId}`, { cause })
  }
}
