import { Fault } from '../../native/ts/fault.ts'
import type { Config } from '../config/schema.ts'
import { withAnnotations } from './annotations.ts'
import type { PodLimits } from './limits.ts'
import { maxMemoryMib, maxVcpus, sizeOf } from './size.ts'

/**
 * The node's configuration for one sandbox: its annotations applied, its VM sized.
 * @returns `notes`: what the operator should read in the log
 * @throws Fault for an annotation that is not allowed, or out of the operator's bounds
 */
export function sandboxConfig(node: Config, annotations: Readonly<Record<string, string>>, limits: PodLimits): { config: Config; notes: string[] } {
  const { config, set } = withAnnotations(node, annotations)
  const { hypervisor } = config
  const { notes, ...computed } = sizeOf(limits, hypervisor)
  const memoryMib = set.includes('hypervisor.memory_mib') ? bounded('hypervisor.memory_mib', hypervisor.memoryMib, maxMemoryMib(node.hypervisor)) : computed.memoryMib
  const vcpus = set.includes('hypervisor.vcpus') ? bounded('hypervisor.vcpus', hypervisor.vcpus, maxVcpus(node.hypervisor)) : computed.vcpus
  return { config: { ...config, hypervisor: { ...hypervisor, memoryMib, vcpus } }, notes }
}

function bounded(key: string, value: number, most: number): number {
  if (value <= most) return value
  throw new Fault(`annotation io.kata-ts.config.${key}: ${value} is more than this node allows, which is ${most}`, { fix: 'ask for less' })
}
