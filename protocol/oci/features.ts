import { hookPoints } from './hooks.ts'
import { namespaceTypes } from './linux.ts'
import { mountOptions } from './mount-options.ts'
import { seccompActions, seccompArchitectures, seccompFlags, seccompOperators } from './seccomp.ts'
import { ociVersion } from './state.ts'

/** What a runtime can do (features.md): `kata-ts features` prints it, and `-info` carries it. */
export interface Features {
  ociVersionMin: string
  ociVersionMax: string
  hooks?: string[]
  mountOptions?: string[]
  linux?: LinuxFeatures
  annotations?: Record<string, string>
  potentiallyUnsafeConfigAnnotations?: string[]
}

/** features-linux.md. An absent member means "not told", which is not the same as "no". */
export interface LinuxFeatures {
  namespaces?: string[]
  capabilities?: string[]
  cgroup?: { v1?: boolean; v2?: boolean; systemd?: boolean; systemdUser?: boolean; rdma?: boolean }
  seccomp?: {
    enabled?: boolean
    actions?: string[]
    operators?: string[]
    archs?: string[]
    knownFlags?: string[]
    supportedFlags?: string[]
  }
  apparmor?: { enabled?: boolean }
  selinux?: { enabled?: boolean }
  intelRdt?: { enabled?: boolean }
  mountExtensions?: { idmap?: { enabled?: boolean } }
}

/**
 * What containers are made of, whatever kernel they are made on: each list is the one that the code itself reads a spec by, and
 * test/oci/features.spec.ts tries every entry. `capabilities`: the names, as the system calls' tables have them.
 */
export function containerFeatures(capabilities: readonly string[]): Features & { linux: LinuxFeatures } {
  return {
    ociVersionMin: '1.0.0',
    ociVersionMax: ociVersion,
    hooks: [...hookPoints],
    mountOptions: [...mountOptions],
    linux: {
      namespaces: [...namespaceTypes],
      capabilities: capabilities.map(name => `CAP_${name}`),
      cgroup: { v1: true, v2: true, systemd: false, systemdUser: false, rdma: true },
      seccomp: { enabled: true, actions: [...seccompActions], operators: [...seccompOperators], archs: [...seccompArchitectures], knownFlags: [...seccompFlags] },
      apparmor: { enabled: true },
      selinux: { enabled: false },
      intelRdt: { enabled: false },
      mountExtensions: { idmap: { enabled: true } },
    },
  }
}
