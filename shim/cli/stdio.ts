import * as sys from 'native:sys'
import { check } from '../../native/ts/errno.ts'
import { duplicate, Fd } from '../../native/ts/fd.ts'
import { Fault } from '../../native/ts/fault.ts'
import { AF_UNIX, SOCK_STREAM } from '../../native/ts/constants/socket.ts'
import type { ProcessIo } from '../../agent/container/options.ts'
import { ownSize } from './foreground.ts'
import type { ContainerProcess } from '../../agent/container/process.ts'

/** This process's own stdio, or a terminal: its master goes over the console socket or, unless `detach`, is relayed to our own. */
export function ownIo(terminal: boolean | undefined, consoleSocket: string | undefined, detach: boolean): ProcessIo {
  if (consoleSocket && (!terminal || !detach)) throw new Fault('cannot use console socket if kata-ts will not detach or allocate tty')
  if (!terminal) {
    return { terminal: false, stdin: duplicate(0, 'stdin'), stdout: duplicate(1, 'stdout'), stderr: duplicate(2, 'stderr') }
  }
  if (detach && !consoleSocket) throw new Fault('cannot allocate tty if kata-ts will detach without setting console socket')
  const size = detach ? undefined : ownSize()
  return size ? { terminal: true, size } : { terminal: true }
}

/** Hands the process's terminal to whoever listens on the socket, as `tty name` with the descriptor attached (runc's terminals.md). */
export function sendTerminal(process: ContainerProcess, consoleSocket: string | undefined): void {
  if (!consoleSocket) return
  const taken = process.takeTerminal()
  if (!taken) return
  using master = taken
  sendDescriptor(consoleSocket, '/dev/ptmx', master)
}

/** Hands a pidfd of the process to whoever listens on the socket, as `pidfd` with the descriptor attached (runc 1.2). */
export function sendPidfd(process: ContainerProcess, pidfdSocket: string | undefined): void {
  if (pidfdSocket) sendDescriptor(pidfdSocket, 'pidfd', process.pidfd)
}

/** `descriptor`: borrowed. */
function sendDescriptor(path: string, name: string, descriptor: Fd): void {
  using socket = new Fd(check('socket', path, sys.socket(AF_UNIX, SOCK_STREAM, 0)), path)
  check('connect', path, sys.connectUnix(socket.number, path))
  check('sendmsg', path, sys.sendFds(socket.number, sys.utf8Encode(name), [descriptor.number]))
}

/** Descriptors that `--preserve-fds` and socket activation (sd_listen_fds(3)) pass on: 3 and up. */
export function passedDescriptors(preserved: string | undefined): Fd[] {
  const listening = sys.environ().find(entry => entry.startsWith('LISTEN_FDS='))?.slice('LISTEN_FDS='.length)
  const count = Number(preserved ?? 0) + Number(listening ?? 0)
  if (!Number.isInteger(count) || count < 0 || count > 1024) throw new Fault(`--preserve-fds ${preserved} is no count`)
  return Array.from({ length: count }, (_, index) => new Fd(3 + index, `passed descriptor ${3 + index}`))
}
