import * as sys from 'native:sys'
import { check } from '../../native/ts/errno.ts'
import { duplicate, Fd } from '../../native/ts/fd.ts'
import { Fault } from '../../native/ts/fault.ts'
import { AF_UNIX, SOCK_STREAM } from '../../native/ts/constants/socket.ts'
import type { ProcessIo } from '../../agent/container/options.ts'
import type { ContainerProcess } from '../../agent/container/process.ts'

/** This process's own stdio, or a terminal whose master goes over the console socket. */
export function ownIo(terminal: boolean | undefined, consoleSocket: string | undefined): ProcessIo {
  if (!terminal) {
    if (consoleSocket !== undefined) throw new Fault('--console-socket was given, but process.terminal is false')
    return { terminal: false, stdin: duplicate(0, 'stdin'), stdout: duplicate(1, 'stdout'), stderr: duplicate(2, 'stderr') }
  }
  if (consoleSocket === undefined) throw new Fault('process.terminal is true, but there is no --console-socket to send the terminal to')
  return { terminal: true }
}

/** Hands the process's terminal to whoever listens on the socket, as `tty name` with the descriptor attached (runc's terminals.md). */
export function sendTerminal(process: ContainerProcess, consoleSocket: string | undefined): void {
  const taken = process.takeTerminal()
  if (!taken || consoleSocket === undefined) return
  using master = taken
  using socket = new Fd(check('socket', consoleSocket, sys.socket(AF_UNIX, SOCK_STREAM, 0)), consoleSocket)
  check('connect', consoleSocket, sys.connectUnix(socket.number, consoleSocket))
  check('sendmsg', consoleSocket, sys.sendFds(socket.number, sys.utf8Encode('/dev/ptmx'), [master.number]))
}

/** Descriptors that `--preserve-fds` and socket activation (sd_listen_fds(3)) pass on: 3 and up. */
export function passedDescriptors(preserved: string | undefined): Fd[] {
  const listening = sys.environ().find(entry => entry.startsWith('LISTEN_FDS='))?.slice('LISTEN_FDS='.length)
  const count = Number(preserved ?? 0) + Number(listening ?? 0)
  if (!Number.isInteger(count) || count < 0 || count > 1024) throw new Fault(`--preserve-fds ${preserved} is no count`)
  return Array.from({ length: count }, (_, index) => new Fd(3 + index, `passed descriptor ${3 + index}`))
}
