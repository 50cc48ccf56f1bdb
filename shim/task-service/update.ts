import * as sys from 'native:sys'
import type { UpdateTaskRequest } from '../../protocol/gen/task.ts'
import type { LinuxResources } from '../../protocol/oci/resources.ts'
import { Refusal } from '../refusal.ts'
import { rewriteResources } from '../spec/devices.ts'
import type { TaskContext } from './context.ts'

/** Update: new resource limits (OCI LinuxResources as JSON) for a container's cgroup in the guest. */
export async function update({ sandbox }: TaskContext, request: UpdateTaskRequest): Promise<Record<string, never>> {
  const container = sandbox.container(request.id)
  if (!container.init.isAlive) throw new Refusal('precondition', `container ${container.id} is ${container.init.state.is}`)
  const bytes = request.resources?.value ?? new Uint8Array(0)
  let given: unknown
  try {
    given = JSON.parse(sys.utf8Decode(bytes, 0, bytes.length))
  } catch (cause) {
    throw new Refusal('invalid', 'update: the resources are not valid JSON', { cause })
  }
  if (typeof given !== 'object' || given === null) throw new Refusal('invalid', 'update: the resources are not an object')
  const resources = rewriteResources(given as LinuxResources, what => // its fields are validated by the agent, which applies them
    sandbox.ports.log.info(`left out of an update: ${what}`, { container: container.id }))
  const agent = await sandbox.agent()
  await agent.updateContainer({ containerId: container.id, resources: sys.utf8Encode(JSON.stringify(resources)) })
  return {}
}
