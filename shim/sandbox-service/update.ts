import * as sys from 'native:sys'
import { isAny, unpackAny } from '../../protocol/any.ts'
import { LinuxContainerResources } from '../../protocol/gen/cri.ts'
import type { Any } from '../../protocol/gen/google/protobuf/any.ts'
import type { UpdateSandboxRequest } from '../../protocol/gen/sandbox.ts'
import { parseResources } from '../../protocol/oci/parse.ts'
import { Refusal } from '../refusal.ts'
import { limitsOfResources, type PodLimits } from '../resources/limits.ts'
import { updatePodLimits } from '../resources/update.ts'
import { limitsOfCri } from '../sandbox/pod.ts'
import type { SandboxContext } from './context.ts'
import { requireThis } from './create.ts'

/** UpdateSandbox: the pod's new limits, in words of CRI or of the runtime spec, become its VM's size. Without resources nothing changes. */
export async function update({ only }: SandboxContext, request: UpdateSandboxRequest): Promise<Record<string, never>> {
  requireThis(only.id, request.sandboxId)
  if (request.resources) await updatePodLimits(only.sandbox, limitsIn(request.resources))
  return {}
}

function limitsIn(resources: Any): PodLimits {
  const { typeUrl, value } = resources
  if (isAny(resources, 'runtime.v1.LinuxContainerResources')) return limitsOfCri(unpackAny(LinuxContainerResources, resources))
  // typeurl's name of the Go type, whose form is JSON.
  if (typeUrl.endsWith('/LinuxResources')) return limitsOfResources(parseResources(sys.utf8Decode(value, 0, value.length)))
  throw new Refusal('invalid', `resources of type ${typeUrl} are not understood`)
}
