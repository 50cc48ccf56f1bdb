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
