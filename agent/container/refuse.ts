import { Fault } from '../../native/ts/fault.ts'
import type { Process } from '../../protocol/oci/process.ts'
import type { Spec } from '../../protocol/oci/spec.ts'
import { hasAppArmor } from './init/apparmor.ts'

/** Refuses what the spec asks for and this runtime or kernel cannot give: silently giving less would be a lie. Throws Fault. */
export function refuseUnsupported(spec: Spec): void {
  if (spec.process) refuseLabels(spec.process)
  if (spec.linux?.mountLabel) throw new Fault(`linux.mountLabel ${spec.linux.mountLabel}: this kernel has no SELinux`, { fix: 'leave the label out' })
  if (spec.linux?.intelRdt) throw new Fault('linux.intelRdt: this runtime does not set Intel RDT', { fix: 'leave it out' })
}

/** Tells of what has no effect here, as it has none with runc either. */
export function tellIgnored({ linux }: Spec, warn: (message: string) => void): void {
  if (linux?.personality?.flags?.length) warn(`linux.personality.flags has no effect: ${linux.personality.flags.join(', ')}`)
  if (linux?.resources?.memory?.kernel) warn('linux.resources.memory.kernel has no effect: kernels have no such limit any more')
}

/** Security labels: only a kernel that has the module could honour them. */
export function refuseLabels(process: Process): void {
  const { apparmorProfile, selinuxLabel } = process
  if (apparmorProfile && apparmorProfile !== 'unconfined' && !hasAppArmor()) {
    throw new Fault(`process.apparmorProfile ${apparmorProfile}: this kernel has no AppArmor`, { fix: 'leave the profile out' })
  }
  if (selinuxLabel) throw new Fault(`process.selinuxLabel ${selinuxLabel}: this kernel has no SELinux`, { fix: 'leave the label out' })
}
