/**
 * The hostile agent as PID 1 of a guest. The hostname of its sandbox says what it does, and to whom: `<attack or pack>.<victim>`,
 * the victim being a container of another sandbox.
 */
import { O_RDONLY } from '../../../native/ts/constants/fcntl.ts'
import { VMADDR_CID_ANY } from '../../../native/ts/constants/socket.ts'
import { story } from '../../../native/ts/fault.ts'
import { open } from '../../../native/ts/fd.ts'
import { readText } from '../../../native/ts/file.ts'
import { listenVsock } from '../../../native/ts/socket.ts'
import { dialHost } from '../../../agent/pid1/dial.ts'
import { parseKernelCommandLine } from '../../../agent/pid1/kernel-command-line.ts'
import { earlyCommandLine, mountRestAndMove, mountRootAndProc } from '../../../agent/pid1/mounts.ts'
import { powerOff } from '../../../agent/pid1/power-off.ts'
import { CreateSandboxRequest } from '../../../protocol/gen/agent.ts'
import { attacks } from './attacks.ts'
import { guestAttacks, log } from './guest-attacks.ts'
import { Hostile } from './hostile.ts'
import { plan } from './plan.ts'

const streamPort = 1025

try {
  mountRootAndProc()
  const { controlPort } = parseKernelCommandLine(readText(earlyCommandLine))
  const driver = open('/drive', O_RDONLY)
  const control = await dialHost(controlPort)
  mountRestAndMove()
  const agent = new Hostile(control, listenVsock(VMADDR_CID_ANY, streamPort))
  // Where it was closed from here the guest goes on: to end it is the shim's business.
  agent.control.onClose(() => { if (!agent.hasHungUp) powerOff('the host has closed') })
  agent.become({ deafToStreams: true, at: { CreateSandbox: (_agent, call) => {
    const [name = '', victim = ''] = CreateSandboxRequest.decode(call.payload).hostname.split('.')
    const behaviour = plan(name, { ...attacks(victim), ...guestAttacks(controlPort, driver) }, (_attacker, attack) => log(agent, `attack begins: ${attack}`))
    if (!behaviour) powerOff(`there is no attack ${name}`)
    agent.become(behaviour)
    agent.react(call)
  } } })
} catch (error) {
  powerOff(story(error))
}
