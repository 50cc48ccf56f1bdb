/**
 * The hostile agent as a program. Its name says which attack it is (the harness links it under each); a file `victim` beside it
 * names a container of another sandbox.
 *
 *   <attack> --control-fd N --streams-path PATH     as the agent with hypervisor `none`, and against the weak host
 */
import * as sys from 'native:sys'
import { AT_FDCWD, F_GETFL, F_SETFL, O_NONBLOCK } from '../../../native/ts/constants/fcntl.ts'
import { Fd } from '../../../native/ts/fd.ts'
import { readTextIfPresent, writeText } from '../../../native/ts/file.ts'
import { listenUnix } from '../../../native/ts/socket.ts'
import { attacks } from './attacks.ts'
import { Hostile } from './hostile.ts'

const [name = '', , fd = '3', , streamsPath] = sys.argv()
const program = sys.readlinkat(AT_FDCWD, '/proc/self/exe')
const directory = typeof program === 'string' ? program.slice(0, program.lastIndexOf('/')) : '.'
const attack = name.slice(name.lastIndexOf('/') + 1)
const behaviour = attacks((readTextIfPresent(`${directory}/victim`) ?? 'victim').trim())[attack]
if (!behaviour) {
  const words = sys.utf8Encode(`no attack ${name}\n`)
  sys.write(2, words, 0, words.length)
  sys.exit(2)
} else {
  const control = new Fd(Number(fd), 'control connection')
  sys.fcntl(control.number, F_SETFL, sys.fcntl(control.number, F_GETFL, 0) | O_NONBLOCK)
  const agent = new Hostile(control, listenUnix(streamsPath ?? ''), () => writeText(`${directory}/did-${attack}`, ''))
  agent.become(behaviour)
  // Where it was closed from here the process goes on: to end it is the shim's business.
  agent.control.onClose(() => { if (!agent.hasHungUp) sys.exit(0) })
  sys.setTimer(2 ** 31 - 1, () => {})
}
