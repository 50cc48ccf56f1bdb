/**
 * The agent as PID 1 of the guest.
 *
 *   kernel ─▶ new root and /proc mounted ─▶ host dialled ─┬▶ (the host answers)
 *                                                         └▶ meanwhile: other mounts, root moved, stream port, reaper,
 *                                                            cgroup controllers, loopback, container library
 *   connected ─▶ ttrpc served ─▶ … ─▶ the host closes ─▶ power off
 */
import * as sys from 'native:sys'
import { VMADDR_CID_ANY, VMADDR_CID_HOST } from '../native/ts/constants/socket.ts'
import { story } from '../native/ts/fault.ts'
import { readText } from '../native/ts/file.ts'
import { listenVsock } from '../native/ts/socket.ts'
import { Events } from './events.ts'
import { Log, printLine } from './log.ts'
import { podCgroup, PodCgroup } from './pid1/cgroup.ts'
import { dialHost } from './pid1/dial.ts'
import { parseKernelCommandLine } from './pid1/kernel-command-line.ts'
import { raiseLimits } from './pid1/limits.ts'
import { earlyCommandLine, mountRestAndMove, mountRootAndProc } from './pid1/mounts.ts'
import { powerOff } from './pid1/power-off.ts'
import { Reaper } from './pid1/reaper.ts'
import { QuietGc } from './quiet-gc.ts'
import { prepareGuest, releaseGuest } from './sandbox/machine.ts'
import { type AgentParts, Sandbox } from './sandbox/sandbox.ts'
import { serve } from './serve.ts'
import { agentStartNs, boottimeNs } from './start-time.ts'
import { Streams } from './streams/streams.ts'

/** vsock port on which stream connections arrive. */
const streamPort = 1025

/** After DestroySandbox: the answer reaches the host, which closes; if it does not, the VM ends all the same. */
const powerOffDelayMs = 500

/** Boots the guest and serves the host. Whatever fails powers the VM off, with the reason on the console. */
export async function runGuest(): Promise<void> {
  try {
    mountRootAndProc()
    const { controlPort, debug } = parseKernelCommandLine(readText(earlyCommandLine))
    const mark = marker(debug)
    mark('first line', agentStartNs)
    mark('proc')
    const dialled = dialHost(controlPort)
    mark('dialling')
    mountRestAndMove()
    mark('mounts')
    const sandbox = new Sandbox(prepareParts())
    mark('parts')
    // What fails here is told by CreateContainer, which asks again.
    sandbox.containerService().then(() => mark('containers'), () => {})
    const control = await dialled
    mark('connected')
    const error = await serve(control, sandbox)
    powerOff(`the host closed the control connection${error ? `: ${story(error)}` : ''}`)
  } catch (error) {
    powerOff(`the agent failed: ${story(error)}`)
  }
}

/** Prints when a step of the start-up was done, in milliseconds after the kernel's begin; nothing without `kata_ts.debug`. */
function marker(debug: boolean): (what: string, atNs?: bigint) => void {
  return (what, atNs = boottimeNs()) => {
    if (debug) printLine(`mark ${what} ${Number(atNs / 1000n) / 1000} ms`)
  }
}

function prepareParts(): AgentParts {
  const log = new Log()
  const events = new Events()
  log.setSink(events.line)
  const reaper = new Reaper(new QuietGc(log).touch)
  const streams = new Streams(listenVsock(VMADDR_CID_ANY, streamPort), isHost, log)
  const pod = new PodCgroup()
  return {
    log, events, reaper, streams,
    prepareMachine: prepareGuest,
    enterUserNamespace: async request => (await import('./sandbox/user-namespace.ts')).PodUserNamespace.enter(request),
    prepareNetwork: async (interfaces, userNamespace) => {
      const { setUpNetwork } = await import('./sandbox/network.ts')
      await setUpNetwork(interfaces, () => userNamespace?.takeDevices())
    },
    releaseMachine: releaseGuest,
    prepareContainers: async () => {
      raiseLimits()
      pod.prepare()
      const { bringLoopbackUp } = await import('./pid1/loopback.ts')
      bringLoopbackUp()
    },
    cgroupPath: containerId => `${podCgroup}/${containerId}`,
    pod,
    withDevices: async spec => (await import('./sandbox/guest-devices.ts')).withGuestDevices(spec),
    end: reason => void sys.setTimer(powerOffDelayMs, () => powerOff(reason)),
  }
}

/** Only the host may connect a stream: a container can open AF_VSOCK sockets, too. */
function isHost(connection: number): boolean {
  const peer = sys.getpeernameVsock(connection)
  return typeof peer !== 'number' && peer.cid === VMADDR_CID_HOST
}
