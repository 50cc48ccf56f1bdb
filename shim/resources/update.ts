import * as sys from 'native:sys'
import type { LinuxResources } from '../../protocol/oci/resources.ts'
import type { Container } from '../sandbox/container.ts'
import type { Sandbox } from '../sandbox/sandbox.ts'
import { resizeAround } from './resize.ts'

/**
 * New limits for a container, and the VM that they need: memory and CPUs come before the limits allow their use, and go after
 * it was forbidden. Rejects, with the limits as they were, when the VM cannot grow so far.
 */
export async function updateLimits(sandbox: Sandbox, container: Container, resources: LinuxResources): Promise<void> {
  const { size, hypervisor, log } = sandbox.ports
  const agent = await sandbox.agent()
  const change = () => agent.updateContainer({ containerId: container.id, resources: sys.utf8Encode(JSON.stringify(resources)) })
  if (!hypervisor.ownKernel) return change()
  await size.exclusively(async () => {
    const { size: wanted, commit } = size.after(container.id, resources)
    for (const note of wanted.notes) log.warn(note, { container: container.id })
    commit(await resizeAround(size.present, wanted, { hypervisor, agent, log }, change))
  })
}
