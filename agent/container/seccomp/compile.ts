import { Fault } from '../../../native/ts/fault.ts'
import type { LinuxSeccomp } from '../../../protocol/oci/seccomp.ts'

/** Compiles the filter of a spec for seccomp(2). */
export function compileFilter(_filter: LinuxSeccomp, warn: (message: string) => void): { program: Uint8Array; flags: number } | undefined {
  warn('seccomp filters are not compiled yet')
  if (_filter.defaultAction === undefined) throw new Fault('linux.seccomp has no defaultAction')
  return undefined
}
