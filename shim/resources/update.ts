import * as sys from 'native:sys'
import { story } from '../../native/ts/fault.ts'
import type { LinuxResources } from '../../protocol/oci/resources.ts'
import type { Container } from '../sandbox/container.ts'
import type { Sandbox } from '../sandbox/sandbox.ts'
import type { PodLimits } from './limits.ts'
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

/**
 * Before a container is made that is to have huge pages: the memory for them, which no containerd counts into what a pod may
 * use. Where the VM cannot grow they may have room all the same; the agent says so if not.
 */
export async function makeRoomForHugepages(sandbox: Sandbox, containerId: string, { hugepageLimits = [] }: LinuxResources): Promise<void> {
  const { size, hypervisor, log } = sandbox.ports
  if (!hypervisor.ownKernel || !hugepageLimits.some(({ limit }) => limit > 0)) return
  const agent = await sandbox.agent()
  await size.exclusively(async () => {
    const { size: wanted, commit } = size.after(containerId, {})
    if (wanted.memoryMib <= size.present.memoryMib) return
    const grown = { ...size.present, memoryMib: wanted.memoryMib }
    commit(await resizeAround(size.present, grown, { hypervisor, agent, log }, () => Promise.resolve()))
  }).catch((error: unknown) => log.warn(`no memory of its own for huge pages: ${story(error)}`, { container: containerId }))
}

/** New limits for the pod as a whole (UpdateSandbox): its VM, while its containers keep theirs. Rejects when the VM cannot grow so far. */
export async function updatePodLimits(sandbox: Sandbox, limits: PodLimits): Promise<void> {
  const { size, hypervisor, log } = sandbox.ports
  if (!hypervisor.ownKernel) return
  const agent = await sandbox.agent()
  await size.exclusively(async () => {
    const { size: wanted, commit } = size.resized(limits)
    for (const note of wanted.notes) log.warn(note)
    commit(await resizeAround(size.present, wanted, { hypervisor, agent, log }, () => Promise.resolve()))
  })
}
