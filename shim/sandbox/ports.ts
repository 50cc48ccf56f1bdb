import type { Fd } from '../../native/ts/fd.ts'
import type { AgentClient } from '../agent-client.ts'
import type { EventSink } from '../events.ts'
import type { Hypervisor } from '../hypervisor/hypervisor.ts'
import type { Log } from '../log.ts'
import type { Network } from '../network/network.ts'
import type { HostCpuset } from '../resources/host-cpuset.ts'
import type { PodSize } from '../resources/pod-size.ts'
import type { Share } from '../storage/share.ts'
import type { Timeline } from '../timeline.ts'

/** What a sandbox is built from; tests put doubles here and make each step fail in turn. */
export interface SandboxPorts {
  hypervisor: Hypervisor
  share: Share
  /** Undefined: the pod has no network namespace of its own on the host. */
  network?: Network | undefined
  /** The VM's size, which follows the containers' limits. */
  size: PodSize
  /** Where on the host the VM runs, which follows the containers' cpusets. */
  cpuset: HostCpuset
  /** Speaks to the agent over its control connection, of which it takes ownership. */
  agent: (control: Fd) => AgentClient
  events: EventSink
  log: Log
  timeline: Timeline
  /** Removes the cgroup, the state directory and the socket: the last things of a sandbox on the host. */
  releaseState: () => void | Promise<void>
}
