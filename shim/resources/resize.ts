import type { AgentClient } from '../agent-client.ts'
import type { Hypervisor } from '../hypervisor/hypervisor.ts'
import type { Log } from '../log.ts'
import type { VmSize } from './size.ts'

/** What a resize is done with. */
export interface ResizePorts {
  hypervisor: Hypervisor
  agent: AgentClient
  log: Log
}

/**
 * Changes a running VM around a change of its containers' limits:
 *
 *   memory up ─▶ CPUs up ─▶ limits (`change`) ─▶ CPUs down ─▶ memory down
 *
 * so that the limits never promise what is not there. What grows must succeed; a guest that cannot give memory
 * back yet keeps it, which is logged and no failure: the containers' limits are in force all the same.
 * @returns the size that it has now
 */
export async function resizeAround(present: VmSize, wanted: VmSize, ports: ResizePorts, change: () => Promise<void>): Promise<VmSize> {
  const { hypervisor, agent, log } = ports
  let { memoryMib, vcpus } = present
  const tellAgent = async (onlineCpus: number): Promise<void> => {
    const online = (await agent.resizeSandbox({ onlineCpus })).onlineCpus
    // The VM has what the host gave it, whatever the guest says.
    vcpus = Math.min(Math.max(1, online), Math.max(wanted.vcpus, present.vcpus))
  }
  if (wanted.memoryMib > memoryMib) memoryMib = (await hypervisor.resize({ ...present, memoryMib: wanted.memoryMib })).memoryMib
  if (wanted.vcpus > vcpus || memoryMib > present.memoryMib) await tellAgent(Math.max(wanted.vcpus, vcpus))
  await change()
  if (wanted.vcpus < vcpus) await tellAgent(wanted.vcpus)
  if (wanted.memoryMib < memoryMib) {
    memoryMib = (await hypervisor.resize({ vcpus, memoryMib: wanted.memoryMib })).memoryMib
    await tellAgent(0)
    if (memoryMib > wanted.memoryMib) log.info(`the guest gave back all but ${memoryMib - wanted.memoryMib} MiB of what it no longer needs`)
  }
  return { memoryMib, vcpus }
}
