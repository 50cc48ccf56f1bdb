import { packJson } from '../protocol/any.ts'
import { RuntimeInfo } from '../protocol/gen/types.ts'
import { encode } from '../protocol/message.ts'
import type { Features } from '../protocol/oci/features.ts'
import { writeStdout } from './standard-streams.ts'
import { shimName, version } from './version.ts'

/**
 * What containers of this runtime can use (OCI runtime spec, features.md). containerd and Kubernetes
 * believe it: of them is whether a pod may have a user namespace (hostUsers: false).
 */
export const features: Features = {
  ociVersionMin: '1.0.0',
  ociVersionMax: '1.2.0',
  // Not createContainer: see spec/hooks.ts.
  hooks: ['prestart', 'createRuntime', 'startContainer', 'poststart', 'poststop'],
  mountOptions: [
    'atime', 'bind', 'dev', 'diratime', 'exec', 'noatime', 'nodev', 'nodiratime', 'noexec', 'norelatime', 'nostrictatime', 'nosuid',
    'private', 'rbind', 'relatime', 'ro', 'rprivate', 'rro', 'rshared', 'rslave', 'rw', 'shared', 'slave', 'strictatime', 'suid',
  ],
  linux: {
    namespaces: ['cgroup', 'ipc', 'mount', 'network', 'pid', 'user', 'uts'],
    // The guest's, whatever the host has.
    cgroup: { v1: false, v2: true, systemd: false, systemdUser: false },
    seccomp: { enabled: true },
    apparmor: { enabled: false },
    selinux: { enabled: false },
    intelRdt: { enabled: false },
    mountExtensions: { idmap: { enabled: true } },
  },
}

/** `-info`: describes the runtime on stdout (RuntimeInfo). The options on stdin change nothing and are not read. */
export function info(): void {
  writeStdout(encode(RuntimeInfo, {
    name: shimName,
    version: { version, revision: '' },
    features: packJson('types.containerd.io/opencontainers/runtime-spec/1/features/Features', features),
    annotations: {},
  }))
}
