import type { LinuxNamespace } from '../../protocol/oci/linux.ts'
import type { Mount } from '../../protocol/oci/spec.ts'
import type { Spec } from '../../protocol/oci/spec.ts'
import { ociVersion } from '../../protocol/oci/state.ts'

const capabilities = ['CAP_AUDIT_WRITE', 'CAP_KILL', 'CAP_NET_BIND_SERVICE']

const mounts: readonly Mount[] = [
  { destination: '/proc', type: 'proc', source: 'proc' },
  { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'] },
  { destination: '/dev/pts', type: 'devpts', source: 'devpts', options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'] },
  { destination: '/dev/shm', type: 'tmpfs', source: 'shm', options: ['nosuid', 'noexec', 'nodev', 'mode=1777', 'size=65536k'] },
  { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: ['nosuid', 'noexec', 'nodev'] },
  { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['nosuid', 'noexec', 'nodev', 'ro'] },
  { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options: ['nosuid', 'noexec', 'nodev', 'relatime', 'ro'] },
]

const namespaces: readonly LinuxNamespace[] = [{ type: 'pid' }, { type: 'network' }, { type: 'ipc' }, { type: 'uts' }, { type: 'mount' }]

/** The spec that `spec` writes: a shell on a terminal in `rootfs`, as runc's. `unifiedCgroups`: the host has cgroup v2 alone. */
export function defaultSpec(unifiedCgroups: boolean): Spec {
  return {
    ociVersion,
    process: {
      terminal: true,
      user: { uid: 0, gid: 0 },
      args: ['sh'],
      env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'TERM=xterm'],
      cwd: '/',
      capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities, ambient: capabilities },
      rlimits: [{ type: 'RLIMIT_NOFILE', hard: 1024, soft: 1024 }],
      noNewPrivileges: true,
    },
    root: { path: 'rootfs', readonly: true },
    hostname: 'kata-ts',
    mounts: [...mounts],
    linux: {
      resources: { devices: [{ allow: false, access: 'rwm' }] },
      namespaces: [...namespaces, ...(unifiedCgroups ? [{ type: 'cgroup' } as const] : [])],
      maskedPaths: [
        '/proc/acpi', '/proc/asound', '/proc/kcore', '/proc/keys', '/proc/latency_stats', '/proc/timer_list', '/proc/timer_stats', '/proc/sched_debug', '/sys/firmware', '/proc/scsi',
      ],
      readonlyPaths: ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'],
    },
  }
}

/**
 * For a user without rights on the host: a user namespace in which that user is root, the host's network and its /sys, as a new
 * sysfs takes a network namespace of one's own, and no limits, as they take cgroups.
 */
export function rootless(spec: Spec, user: { uid: number; gid: number }): Spec {
  const { resources: _limits, namespaces: all = [], ...linux } = spec.linux ?? {}
  return {
    ...spec,
    mounts: (spec.mounts ?? []).map(mount => (
      mount.destination === '/sys' ? { destination: '/sys', type: 'none', source: '/sys', options: ['rbind', 'nosuid', 'noexec', 'nodev', 'ro'] }
      : mount.options ? { ...mount, options: mount.options.filter(option => !/^[gu]id=/.test(option)) } : mount
    )),
    linux: {
      ...linux,
      uidMappings: [{ containerID: 0, hostID: user.uid, size: 1 }],
      gidMappings: [{ containerID: 0, hostID: user.gid, size: 1 }],
      namespaces: [...all.filter(({ type }) => type !== 'network' && type !== 'user'), { type: 'user' }],
    },
  }
}
