import * as sys from 'native:sys'
import { AT_FDCWD } from '../../../native/ts/constants/fcntl.ts'
import { makeDirectories, readBytes, writeText } from '../../../native/ts/file.ts'
import { check } from '../../../native/ts/errno.ts'
import type { Spec } from '../../../protocol/oci/spec.ts'
import { readonlyAt, writableAt } from './probe.ts'

/** Directories of one attestation on the host. */
export interface AttestPlace {
  id: string
  bundle: string
  /** The container's root file system: this program, and where things are mounted. */
  rootfs: string
  /** Shown to the container twice: read-only, and read-write. */
  shared: string
  /** What the probe prints. */
  output: string
}

/** What containerd gives a container by default (oci/spec.go, defaultUnixCaps). */
const capabilities = [
  'CAP_CHOWN', 'CAP_DAC_OVERRIDE', 'CAP_FSETID', 'CAP_FOWNER', 'CAP_MKNOD', 'CAP_NET_RAW', 'CAP_SETGID', 'CAP_SETUID',
  'CAP_SETFCAP', 'CAP_SETPCAP', 'CAP_NET_BIND_SERVICE', 'CAP_SYS_CHROOT', 'CAP_KILL', 'CAP_AUDIT_WRITE',
]

/** Writes a bundle whose only program is this one. Throws SysError. */
export function writeBundle(place: AttestPlace): void {
  for (const name of ['proc', 'dev', 'sys', 'run', readonlyAt.slice(1), writableAt.slice(1)]) makeDirectories(`${place.rootfs}/${name}`)
  for (const name of ['ro', 'rw']) makeDirectories(`${place.shared}/${name}`)
  makeDirectories(`${place.bundle}/rootfs`)
  check('write', place.rootfs, sys.writeFile(AT_FDCWD, `${place.rootfs}/kata-ts`, readBytes('/proc/self/exe', 64 * 1024 * 1024), 0o1101, 0o755))
  writeText(`${place.bundle}/config.json`, JSON.stringify(specOf(place)))
  writeText(place.output, '')
}

/** As containerd makes it by default. */
function specOf({ id, shared }: AttestPlace): Spec {
  const device = (major: number, minor?: number) => ({ allow: true, type: 'c', major, ...(minor !== undefined && { minor }), access: 'rwm' })
  const bind = (destination: string, source: string, mode: string) => ({ destination, type: 'bind', source, options: ['rbind', mode] })
  return {
    ociVersion: '1.1.0',
    root: { path: 'rootfs' },
    process: {
      cwd: '/', args: ['/kata-ts', 'attest-probe'], env: ['PATH=/'], noNewPrivileges: true, user: { uid: 0, gid: 0 },
      capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
    },
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
      { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'] },
      { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['nosuid', 'noexec', 'nodev', 'ro'] },
      { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options: ['nosuid', 'noexec', 'nodev', 'relatime', 'ro'] },
      bind(readonlyAt, `${shared}/ro`, 'ro'), bind(writableAt, `${shared}/rw`, 'rw'),
    ],
    linux: {
      resources: { devices: [{ allow: false, access: 'rwm' }, device(1, 3), device(1, 5), device(1, 7), device(1, 8), device(1, 9), device(5, 0), device(5, 1), device(5, 2), device(136)] },
      cgroupsPath: `/kata-ts/${id}`,
      namespaces: ['pid', 'ipc', 'uts', 'mount', 'network'].map(type => ({ type: type as 'pid' })), // each is one of the spec's
      maskedPaths: ['/proc/acpi', '/proc/asound', '/proc/kcore', '/proc/keys', '/proc/latency_stats', '/proc/timer_list', '/proc/timer_stats', '/proc/sched_debug', '/sys/firmware', '/proc/scsi'],
      readonlyPaths: ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'],
    },
  }
}
