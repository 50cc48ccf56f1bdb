import { Fault } from '../../../native/ts/fault.ts'
import type { LinuxSeccomp } from '../../../protocol/oci/seccomp.ts'

/** Whether the filter asks anybody. Throws Fault for one that could not be loaded, or whose questions nobody would hear. */
export function asksListener(filter: LinuxSeccomp): boolean {
  const asked = (filter.syscalls ?? []).filter(({ action }) => action === 'SCMP_ACT_NOTIFY')
  if (filter.defaultAction === 'SCMP_ACT_NOTIFY') throw new Fault('linux.seccomp.defaultAction: SCMP_ACT_NOTIFY cannot be the default', { fix: 'name the system calls that the agent is to answer' })
  if (asked.length === 0) return false
  if (asked.some(({ names }) => names.includes('write'))) throw new Fault('linux.seccomp: SCMP_ACT_NOTIFY cannot be used for write, by which the runtime learns of the descriptor', { fix: 'leave write out of the rule' })
  if (!filter.listenerPath) throw new Fault('linux.seccomp: SCMP_ACT_NOTIFY without listenerPath', { fix: 'give the path of the socket on which the agent listens' })
  return true
}
