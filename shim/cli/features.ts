import { capabilityNames } from '../../native/ts/constants/capability.ts'
import { namespaceTypes } from '../../protocol/oci/linux.ts'
import type { Features } from '../../protocol/oci/features.ts'
import { ociVersion } from '../../protocol/oci/state.ts'
import type { Context } from './context.ts'

/** `features`: what this runtime can do (features.md). */
export async function features(_args: readonly string[], { print }: Context): Promise<number> {
  const document: Features = {
    ociVersionMin: '1.0.0',
    ociVersionMax: ociVersion,
    hooks: ['prestart', 'createRuntime', 'createContainer', 'startContainer', 'poststart', 'poststop'],
    linux: {
      namespaces: [...namespaceTypes],
      capabilities: capabilityNames.map(name => `CAP_${name}`),
      cgroup: { v1: true, v2: true, systemd: false, systemdUser: false },
      apparmor: { enabled: false },
      selinux: { enabled: false },
      intelRdt: { enabled: false },
    },
  }
  print(JSON.stringify(document, undefined, 2))
  return 0
}
