import { flagsOfKernel } from '../../agent/container/seccomp/kernel-flags.ts'
import { capabilityNames } from '../../native/ts/constants/capability.ts'
import { containerFeatures } from '../../protocol/oci/features.ts'
import type { Context } from './context.ts'

/** `features`: what this runtime can do (features.md). */
export async function features(_args: readonly string[], { print }: Context): Promise<number> {
  const document = containerFeatures(capabilityNames)
  document.linux.seccomp = { ...document.linux.seccomp, supportedFlags: flagsOfKernel() }
  // Who makes the cgroups is the command line's matter: in a guest there is no systemd.
  document.linux.cgroup = { ...document.linux.cgroup, systemd: true, systemdUser: true }
  print(JSON.stringify(document, undefined, 2))
  return 0
}
