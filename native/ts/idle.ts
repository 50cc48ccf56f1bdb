import * as sys from 'native:sys'
import { lastFd } from './constants/close_range.ts'
import { writeKernelFile } from './file.ts'

/** Sets the name that process lists show of this process; the kernel cuts it to 15 characters (proc(5), comm). */
export function nameProcess(name: string): void {
  try {
    writeKernelFile('/proc/self/comm', name)
  } catch {
    // It is for people who look at a process list; without /proc there are none.
  }
}

/**
 * What a forked child does that is there for its pid or its namespaces alone: it holds no descriptor and waits for a
 * signal to end it. Never comes back.
 *
 * It sleeps in read(2) and runs no line of JavaScript again, so that it touches none of the memory that it shares with
 * its parent.
 */
export function idle(): never {
  sys.closeRange(0, lastFd, 0)
  const nothing = sys.pipe2(0)
  // Its own writer keeps the pipe from ending. A signal that is handled elsewhere may interrupt the read.
  if (typeof nothing !== 'number') for (const byte = new Uint8Array(1);;) sys.read(nothing[0], byte, 0, 1)
  return sys._exit(1)
}
