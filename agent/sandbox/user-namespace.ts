import * as sys from 'native:sys'
import { O_RDONLY } from '../../native/ts/constants/fcntl.ts'
import { CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWUSER, CLONE_NEWUTS } from '../../native/ts/constants/sched.ts'
import { SIGCHLD } from '../../native/ts/constants/signal.ts'
import { check, checked, errnoName, SysError } from '../../native/ts/errno.ts'
import { Fd, open } from '../../native/ts/fd.ts'
import { idle, nameProcess } from '../../native/ts/idle.ts'
import { RtNetlink } from '../../native/ts/rtnetlink.ts'
import { writeIdMaps } from '../../native/ts/user-namespace.ts'
import type { CreateSandboxRequest, IdMapping } from '../../protocol/gen/agent.ts'
import { linkDump, linkSet } from '../../protocol/netlink/link.ts'
import { NetlinkSession } from '../../protocol/netlink/session.ts'
import { ContainerProcess } from '../container/process.ts'
import { bringLoopbackUp } from '../pid1/loopback.ts'
import { inMachineNetwork, leftMachineNetwork } from './machine-network.ts'

/** What a pod's containers share, and what its user namespace is to own. */
const sharedNamespaces = CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS

/**
 * The user namespace of a pod (`hostUsers: false`), with the network, IPC and UTS namespaces that its containers share: they
 * belong to it, so that root of a container has the rights over them that it has with any other runtime (CAP_NET_RAW,
 * CAP_NET_ADMIN, mounts of mqueue and sysfs). A process that waits holds them; it ends with the agent.
 *
 * The agent itself goes into the three, for good: what it does for the pod, it does there.
 */
export class PodUserNamespace {
  private constructor(private readonly holder: ContainerProcess, private readonly network: Fd) {}

  /** Makes it, and enters what it owns. Throws SysError. */
  static enter({ uidMappings, gidMappings }: Pick<CreateSandboxRequest, 'uidMappings' | 'gidMappings'>): PodUserNamespace {
    const machine = open('/proc/self/ns/net', O_RDONLY)
    const holder = startHolder()
    try {
      writeIdMaps(holder.pid, { uids: uidMappings.map(ofSpec), gids: gidMappings.map(ofSpec) })
      const network = open(`/proc/${holder.pid}/ns/net`, O_RDONLY)
      check('setns', "the pod's namespaces", sys.setns(holder.pidfd.number, sharedNamespaces))
      leftMachineNetwork(machine, network)
      bringLoopbackUp()
      return new PodUserNamespace(holder, network)
    } catch (error) {
      // The sandbox fails, and the VM with it.
      holder.destroy()
      throw error
    }
  }

  /** The namespace's file. */
  get path(): string {
    return `/proc/${this.holder.pid}/ns/user`
  }

  /** Brings the network devices that the machine has by now to the pod. Throws NetlinkRefusal. */
  takeDevices(): void {
    inMachineNetwork(() => {
      using socket = new RtNetlink()
      const session = new NetlinkSession(socket, errnoName)
      const links = session.ask('dump of links', linkDump).flatMap(answer => (answer.kind === 'link' && answer.link.isEthernet ? [answer.link] : []))
      session.change(...links.map(({ index, name }) => ({
        what: `${name} to the pod`, message: (sequence: number) => linkSet(index, { netnsFd: this.network.number }, sequence),
      })))
    })
  }
}

function ofSpec({ containerId, hostId, size }: IdMapping): { containerID: number; hostID: number; size: number } {
  return { containerID: containerId, hostID: hostId, size }
}

/** Whoever reaps in the agent forgets its exit, as nobody claims it. */
function startHolder(): ContainerProcess {
  const what = "holder of the pod's user namespace"
  const cloned = checked('clone3', what, sys.clone3({ flags: CLONE_NEWUSER | sharedNamespaces, exitSignal: SIGCHLD }))
  if (cloned.pid === 0) {
    try {
      sys.resetSignals()
      nameProcess('pod-namespaces')
      idle()
    } finally {
      sys._exit(1)
    }
  }
  if (cloned.pid < 0) throw new SysError('clone3', what, -cloned.pid)
  return ContainerProcess.cloned(cloned.pid, new Fd(cloned.pidfd, `pidfd of the ${what}`))
}
