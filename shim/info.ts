import { capabilityNames } from '../native/ts/constants/capability.ts'
import { packJson } from '../protocol/any.ts'
import { RuntimeInfo } from '../protocol/gen/types.ts'
import { encode } from '../protocol/message.ts'
import { containerFeatures, type Features } from '../protocol/oci/features.ts'
import { writeStdout } from './standard-streams.ts'
import { shimName, version } from './version.ts'

/**
 * What containers of this runtime can use (OCI runtime spec, features.md). containerd and Kubernetes
 * believe it: of them is whether a pod may have a user namespace (hostUsers: false). It is what the container library can,
 * less what a guest with its own kernel cannot (spec/).
 */
export function guestFeatures(): Features {
  const { linux, hooks = [], ...rest } = containerFeatures(capabilityNames)
  return {
    ...rest,
    // Not createContainer: see spec/hooks.ts.
    hooks: hooks.filter(point => point !== 'createContainer'),
    linux: {
      ...linux,
      // spec/rewrite.ts leaves profiles out.
      apparmor: { enabled: false },
      cgroup: { ...linux.cgroup, v1: false, rdma: false },
      seccomp: { ...linux.seccomp, actions: linux.seccomp?.actions?.filter(action => action !== 'SCMP_ACT_NOTIFY') ?? [] },
    },
  }
}

/** `-info`: describes the runtime on stdout (RuntimeInfo). The options on stdin change nothing and are not read. */
export function info(): void {
  writeStdout(encode(RuntimeInfo, {
    name: shimName,
    version: { version, revision: '' },
    features: packJson('types.containerd.io/opencontainers/runtime-spec/1/features/Features', guestFeatures()),
    annotations: {},
  }))
}
