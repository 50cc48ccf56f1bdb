import * as sys from 'native:sys'
import type { ParentLink } from './dialogue.ts'
import { toWire } from './wire-error.ts'

/** Exit status of a process that failed before its execve, as the shell's «cannot be run». */
const failedStatus = 126

/** Runs a sequence in a fresh child; what it throws goes to the parent, whole, and the child ends. */
export function runChild(link: ParentLink, sequence: () => never): never {
  try {
    return sequence()
  } catch (error) {
    try {
      link.tell({ type: 'failed', error: toWire(error) })
    } catch {
      // The parent is gone as well: nobody is left to be told.
    }
    return sys._exit(failedStatus)
  }
}
