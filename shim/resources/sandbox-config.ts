import { Fault } from '../../native/ts/fault.ts'
import type { Config } from '../config/schema.ts'
import { withAnnotations } from './annotations.ts'
import { containerTypeAnnotation, type PodLimits } from './limits.ts'
import { maxMemoryMib, maxVcpus, sizeOf } from './size.ts'

/**
 * The node's configuration for one sandbox: its annotations applied, its VM sized, its machine chosen.
 * @param isPod whether containers, volumes and limits may come and change later; told by CRI's annotation, or known (Sandbox API)
 * @returns `notes`: what the operator should read in the log
 * @throws Fault for an annotation that is not allowed, or out of the operator's bounds
 */
export function sandboxConfig(node: Config, annotations: Readonly<Record<string, string>>, limits: PodLimits, isPod = annotations[containerTypeAnnotation] !== undefined): { config: Config; notes: string[] } {
  const { config, set } = withAnnotations(node, annotations)
  const { hypervisor } = config
  const { notes, ...computed } = sizeOf(limits, hypervisor)
  const machine = hypervisor.machine === 'auto' ? (isPod ? 'q35' : 'microvm') : hypervisor.machine
  // A microvm cannot grow: a container that begins with a small limit may be given a larger one later.
  if (machine === 'microvm') computed.memoryMib = Math.max(computed.memoryMib, hypervisor.memoryMib)
  const memoryMib = set.includes('hypervisor.memory_mib') ? bounded('hypervisor.memory_mib', hypervisor.memoryMib, maxMemoryMib(node.hypervisor)) : computed.memoryMib
  const vcpus = set.includes('hypervisor.vcpus') ? bounded('hypervisor.vcpus', hypervisor.vcpus, maxVcpus(node.hypervisor)) : computed.vcpus
  return { config: { ...config, hypervisor: { ...hypervisor, machine, memoryMib, vcpus } }, notes }
}

function bounded(key: string, value: number, most: number): number {
  if (value <= most) return value
  throw new Fault(`annotation io.kata-ts.config.${key}: ${value} is more than this node allows, which is ${most}`, { fix: 'ask for less' })
}
