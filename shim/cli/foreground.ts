import * as sys from 'native:sys'
import { O_RDWR } from '../../native/ts/constants/fcntl.ts'
import { TIOCGWINSZ } from '../../native/ts/constants/ioctl.ts'
import { SIGCHLD, SIGKILL, SIGPIPE, SIGSTOP, SIGWINCH } from '../../native/ts/constants/signal.ts'
import { P_PIDFD, WEXITED } from '../../native/ts/constants/wait.ts'
import { exitOf } from '../../native/ts/child.ts'
import { checked, E, SysError } from '../../native/ts/errno.ts'
import { duplicate, Fd, open } from '../../native/ts/fd.ts'
import { Pump } from '../../native/ts/pump.ts'
import { setWindowSize } from '../../native/ts/pty.ts'
import { whenReadable } from '../../native/ts/readiness.ts'
import { Signals } from '../../native/ts/signals.ts'
import type { ContainerProcess } from '../../agent/container/process.ts'
import type { WindowSize } from '../../agent/container/options.ts'
import { makeRaw } from './raw-terminal.ts'

/** 1 to 31 without those that nobody can catch, our children's, our own, and the job control of our own terminal (TSTP, TTIN, TTOU). */
const forwarded = Array.from({ length: 31 }, (_, index) => index + 1).filter(signal => ![SIGKILL, SIGSTOP, SIGCHLD, SIGPIPE, 20, 21, 22].includes(signal))

/** This process in the place of one of a container: what it is sent goes there, and the terminal there is ours. */
export class Foreground {
  /** Held from before the program runs: a signal that comes early waits. Children are not born with them blocked (execve). */
  readonly #signals = new Signals(forwarded)

  /** Stands for the process until it ends; gives its status as a shell would. */
  async standFor(process: ContainerProcess): Promise<number> {
    using signals = this.#signals
    using master = process.takeTerminal()
    const relay = master ? relayTerminal(master) : undefined
    signals.onSignal(signal => {
      if (signal === SIGWINCH) {
        if (master) adoptSize(master)
      } else process.kill(signal)
    })
    try {
      const status = await waitFor(process)
      await relay?.drained
      return status
    } finally {
      relay?.end()
    }
  }
}

/** Waits for a process that is a child of this one; gives its status as a shell would. */
export async function waitFor(process: ContainerProcess): Promise<number> {
  await whenReadable(process.pidfd)
  const seen = sys.waitid(P_PIDFD, process.pidfd.number, WEXITED)
  if (seen === null) throw new SysError('waitid', `process ${process.pid}`, E.ECHILD)
  return exitOf(checked('waitid', `process ${process.pid}`, seen)).status
}

interface Relay {
  /** Resolves when all that the terminal said has been written. */
  drained: Promise<unknown>
  /** Gives our own terminal back as it was. */
  end: () => void
}

/** Moves bytes between our stdin and stdout and the terminal's master (borrowed). */
function relayTerminal(master: Fd): Relay {
  const restore = makeRaw(0)
  adoptSize(master)
  const input = ownCopy(0)
  const output = ownCopy(1)
  const other = duplicate(master.number, master.what)
  const typed = new Pump('terminal input', { source: input.number, sink: other.number })
  const said = new Pump('terminal output', { source: master.number, sink: output.number })
  return {
    drained: said.ended,
    end: () => {
      typed.stop()
      said.stop()
      for (const fd of [input, output, other]) fd.close()
      restore()
    },
  }
}

/** Opened anew where the kernel can: a pump's O_NONBLOCK belongs to the open file, which we share with the shell. */
function ownCopy(fd: number): Fd {
  try {
    return open(`/proc/self/fd/${fd}`, O_RDWR)
  } catch {
    return duplicate(fd, `descriptor ${fd}`)
  }
}

/** The size of our own terminal; undefined when stdin is none. */
export function ownSize(): WindowSize | undefined {
  const winsize = new Uint8Array(8)
  if (sys.ioctlBuffer(0, TIOCGWINSZ, winsize) < 0) return undefined
  const view = new DataView(winsize.buffer)
  return { height: view.getUint16(0, true), width: view.getUint16(2, true) }
}

function adoptSize(master: Fd): void {
  const size = ownSize()
  if (size) setWindowSize(master.number, size)
}
