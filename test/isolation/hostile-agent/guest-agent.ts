/** The hostile agent as PID 1 of a guest; `kata_ts.attack=` on the kernel command line says which attack it is. */
import { VMADDR_CID_ANY } from '../../../native/ts/constants/socket.ts'
import { story } from '../../../native/ts/fault.ts'
import { readText } from '../../../native/ts/file.ts'
import { listenVsock } from '../../../native/ts/socket.ts'
import { dialHost } from '../../../agent/pid1/dial.ts'
import { parseKernelCommandLine } from '../../../agent/pid1/kernel-command-line.ts'
import { earlyCommandLine, mountRestAndMove, mountRootAndProc } from '../../../agent/pid1/mounts.ts'
import { powerOff } from '../../../agent/pid1/power-off.ts'
import { guestAttacks } from './guest-attacks.ts'
import { Hostile } from './hostile.ts'

const streamPort = 1025

try {
  mountRootAndProc()
  const words = readText(earlyCommandLine)
  const { controlPort } = parseKernelCommandLine(words)
  const behaviour = guestAttacks(controlPort)[/kata_ts\.attack=([a-z-]+)/.exec(words)?.[1] ?? '']
  if (!behaviour) powerOff('no attack is named')
  const control = await dialHost(controlPort)
  mountRestAndMove()
  const agent = new Hostile(control, listenVsock(VMADDR_CID_ANY, streamPort), behaviour, () => {})
  agent.control.onClose(() => powerOff('the host has closed'))
} catch (error) {
  powerOff(story(error))
}
