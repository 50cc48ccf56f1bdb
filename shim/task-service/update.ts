import * as sys from 'native:sys'
import type { UpdateTaskRequest } from '../../protocol/gen/task.ts'
import { parseResources } from '../../protocol/oci/parse.ts'
import { Refusal } from '../refusal.ts'
import { updateLimits } from '../resources/update.ts'
import { rewriteResources } from '../spec/devices.ts'
import type { TaskContext } from './context.ts'

/** Update: new resource limits (OCI LinuxResources as JSON) for a container's cgroup in the guest, and for the VM. */
export async function update({ sandbox }: TaskContext, request: UpdateTaskRequest): Promise<Record<string, never>> {
  const container = sandbox.container(request.id)
  if (!container.init.isAlive) throw new Refusal('precondition', `container ${container.id} is ${container.init.state.is}`)
  // Limits of nothing: a pod's own are its VM's size.
  if (container.isPause) return {}
  const bytes = request.resources?.value ?? new Uint8Array(0)
  const asked = parseResources(sys.utf8Decode(bytes, 0, bytes.length))
  const resources = rewriteResources(asked, what => sandbox.ports.log.info(`left out of an update: ${what}`, { container: container.id }))
  sandbox.ports.cpuset.set(container.id, asked)
  await updateLimits(sandbox, container, resources)
  return {}
}
