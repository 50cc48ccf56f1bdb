import { Fault } from '../../native/ts/fault.ts'
import type { Config } from '../config/schema.ts'
import { createHypervisor } from '../hypervisor/create.ts'
import type { Hypervisor } from '../hypervisor/hypervisor.ts'
import type { Journal } from '../journal.ts'
import type { Log } from '../log.ts'
import { Netns } from '../network/netns.ts'
import { Network } from '../network/network.ts'
import { hostCgroupPath } from '../resources/cgroup-path.ts'
import { HostCgroup } from '../resources/host-cgroup.ts'
import { sandboxConfig } from '../resources/sandbox-config.ts'
import { Share } from '../storage/share.ts'
import type { Timeline } from '../timeline.ts'
import type { PodDescription } from './pod.ts'

/** What a sandbox is made of on the host. Nothing of it runs yet. */
export interface Equipment {
  /** The node's, with what the pod asked for. */
  config: Config
  /** As it was told, without what needs a kernel of its own where there is none. */
  pod: PodDescription
  share: Share
  /** This process is in it; undefined without a VM, where the agent puts each container into a group of its own. */
  cgroup: HostCgroup | undefined
  network: Network | undefined
  hypervisor: Hypervisor
}

/** Where the sandbox's shim keeps what it makes. */
export interface EquipmentPlace {
  sandboxId: string
  nodeConfig: Config
  stateDir: string
  journal: Journal
  log: Log
  timeline: Timeline
}

/**
 * Makes what the pod's description asks for: by `start` before it forks the daemon, so that an error is `start`'s, or by
 * CreateSandbox, before which nothing is known of the pod. Must run in the shim's private mount namespace. Throws Fault or
 * SysError; nothing of it is left then.
 */
export function equip(pod: PodDescription, place: EquipmentPlace): Equipment {
  const { sandboxId, nodeConfig, stateDir, journal, log, timeline } = place
  const { config, notes } = sandboxConfig(nodeConfig, pod.annotations, pod.limits, pod.lifetime === 'sandbox-api' || undefined)
  const withGuest = config.hypervisor.type !== 'none'
  for (const note of notes) log.warn(note)
  if (!withGuest && pod.idMappings) {
    throw new Fault('the pod asks for a user namespace, which pods without a VM do not have', { fix: 'leave out hostUsers: false, or set hypervisor.type to "qemu"' })
  }
  const undo: (() => void)[] = []
  try {
    const netns = withGuest && pod.netnsPath !== '' ? Netns.open(pod.netnsPath, log) : undefined
    undo.push(() => netns?.[Symbol.dispose]())
    const cgroup = withGuest ? new HostCgroup(hostCgroupPath(pod.cgroupsPath, `/kata-ts/${sandboxId}`)) : undefined
    undo.push(() => cgroup?.leaveNow())
    // Before anything is started: what this process forks is born in it.
    cgroup?.enter(journal)
    const share = Share.open(stateDir, { withGuest })
    undo.push(() => share.close())
    const hypervisor = createHypervisor(config, { id: sandboxId, stateDir, shareDir: share.dir, cgroup, journal, log, timeline })
    const network = withGuest ? new Network(netns, { journal, log, stateDir, model: config.network.model }) : undefined
    return { config, pod: withGuest ? pod : { ...pod, sysctls: {} }, share, cgroup, network, hypervisor }
  } catch (error) {
    for (const step of undo.reverse()) step()
    throw error
  }
}
