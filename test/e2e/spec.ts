/** The OCI runtime spec that clients send for a plain container: what `ctr run` and CRI agree on. */

export interface SpecMount { destination: string; type: string; source: string; options: string[] }
export interface ProcessSpec {
  terminal: boolean
  user: { uid: number; gid: number; additionalGids?: number[] }
  args: string[]
  env: string[]
  cwd: string
  capabilities: Record<'bounding' | 'effective' | 'permitted' | 'inheritable' | 'ambient', string[]>
  rlimits: { type: string; hard: number; soft: number }[]
  noNewPrivileges: boolean
}
export interface Spec {
  ociVersion: string
  process: ProcessSpec
  root: { path: string; readonly: boolean }
  hostname: string
  mounts: SpecMount[]
  annotations?: Record<string, string>
  linux: {
    resources: Record<string, unknown>
    cgroupsPath: string
    namespaces: { type: string; path?: string }[]
    maskedPaths: string[]
    readonlyPaths: string[]
    seccomp?: unknown
    sysctl?: Record<string, string>
    rootfsPropagation?: string
    devices?: unknown[]
  }
}

export const defaultCapabilities = [
  'CAP_CHOWN', 'CAP_DAC_OVERRIDE', 'CAP_FSETID', 'CAP_FOWNER', 'CAP_MKNOD', 'CAP_NET_RAW', 'CAP_SETGID', 'CAP_SETUID',
  'CAP_SETFCAP', 'CAP_SETPCAP', 'CAP_NET_BIND_SERVICE', 'CAP_SYS_CHROOT', 'CAP_KILL', 'CAP_AUDIT_WRITE',
]

const device = (type: string, major: number | null, minor: number | null): Record<string, unknown> =>
  ({ allow: true, type, access: 'rwm', ...(major === null ? {} : { major }), ...(minor === null ? {} : { minor }) })

export function processSpec(args: readonly string[]): ProcessSpec {
  return {
    terminal: false,
    user: { uid: 0, gid: 0 },
    args: [...args],
    env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
    cwd: '/',
    capabilities: {
      bounding: defaultCapabilities, effective: defaultCapabilities, permitted: defaultCapabilities,
      inheritable: [], ambient: [],
    },
    rlimits: [{ type: 'RLIMIT_NOFILE', hard: 1024, soft: 1024 }],
    noNewPrivileges: true,
  }
}

export function baseSpec(id: string, args: readonly string[]): Spec {
  return {
    ociVersion: '1.1.0',
    process: processSpec(args),
    root: { path: 'rootfs', readonly: false },
    hostname: '',
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
      { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'] },
      { destination: '/dev/pts', type: 'devpts', source: 'devpts', options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'] },
      { destination: '/dev/shm', type: 'tmpfs', source: 'shm', options: ['nosuid', 'noexec', 'nodev', 'mode=1777', 'size=65536k'] },
      { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: ['nosuid', 'noexec', 'nodev'] },
      { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['nosuid', 'noexec', 'nodev', 'ro'] },
      { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options: ['nosuid', 'noexec', 'nodev', 'relatime', 'ro'] },
      { destination: '/run', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'] },
    ],
    linux: {
      resources: {
        devices: [
          { allow: false, access: 'rwm' },
          device('c', 1, 3), device('c', 1, 8), device('c', 1, 7), device('c', 5, 0), device('c', 1, 5), device('c', 1, 9),
          device('c', 5, 1), device('c', 136, null), device('c', 5, 2),
        ],
      },
      cgroupsPath: `/e2e/${id}`,
      namespaces: ['pid', 'ipc', 'uts', 'mount', 'network'].map((type) => ({ type })),
      maskedPaths: ['/proc/acpi', '/proc/asound', '/proc/kcore', '/proc/keys', '/proc/latency_stats', '/proc/timer_list', '/proc/timer_stats', '/proc/sched_debug', '/sys/firmware', '/proc/scsi'],
      readonlyPaths: ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'],
    },
  }
}
