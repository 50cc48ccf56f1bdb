import { Fault } from '../../native/ts/fault.ts'
import type { LinuxSeccomp } from '../../protocol/oci/seccomp.ts'

/**
 * The filter for a guest. An agent of the host cannot answer the system calls of another kernel, so a filter that asks one is
 * refused (Fault); the way to an agent that no rule asks is left out.
 */
export function guestSeccomp({ listenerPath: _path, listenerMetadata: _metadata, ...filter }: LinuxSeccomp): LinuxSeccomp {
  const asks = filter.defaultAction === 'SCMP_ACT_NOTIFY' || filter.syscalls?.some(({ action }) => action === 'SCMP_ACT_NOTIFY')
  if (asks) throw new Fault('linux.seccomp: SCMP_ACT_NOTIFY asks an agent of the host, which cannot answer for a guest with its own kernel', { fix: 'answer the calls with SCMP_ACT_ERRNO' })
  return filter
}
