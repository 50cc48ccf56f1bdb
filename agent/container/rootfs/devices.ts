import * as sys from 'native:sys'
import { AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW } from '../../../native/ts/constants/fcntl.ts'
import { S_IFBLK, S_IFCHR, S_IFIFO, S_IFLNK, S_IFMT } from '../../../native/ts/constants/stat.ts'
import { check, checked, E, SysError } from '../../../native/ts/errno.ts'
import { Fault } from '../../../native/ts/fault.ts'
import { exists } from '../../../native/ts/file.ts'
import type { LinuxDevice } from '../../../protocol/oci/linux.ts'
import type { Mount } from '../../../protocol/oci/spec.ts'
import { attach, clonePath } from './mount-calls.ts'
import { type Root, segments } from './root.ts'

/** Devices that every container has (config-linux.md#default-devices; numbers: Documentation/admin-guide/devices.txt). */
export const defaultDevices: readonly LinuxDevice[] = [
  { path: '/dev/null', type: 'c', major: 1, minor: 3 },
  { path: '/dev/zero', type: 'c', major: 1, minor: 5 },
  { path: '/dev/full', type: 'c', major: 1, minor: 7 },
  { path: '/dev/random', type: 'c', major: 1, minor: 8 },
  { path: '/dev/urandom', type: 'c', major: 1, minor: 9 },
  { path: '/dev/tty', type: 'c', major: 5, minor: 0 },
]

/** runtime-linux.md#dev-symbolic-links */
const links: readonly (readonly [path: string, target: string])[] = [
  ['/dev/fd', '/proc/self/fd'], ['/dev/stdin', '/proc/self/fd/0'], ['/dev/stdout', '/proc/self/fd/1'], ['/dev/stderr', '/proc/self/fd/2'],
]

const fileTypes: Readonly<Record<string, number>> = { c: S_IFCHR, u: S_IFCHR, b: S_IFBLK, p: S_IFIFO }

/** A bound /dev is somebody else's directory: nothing is made in it. */
export function ownsDev(mounts: readonly Mount[]): boolean {
  return !mounts.some(mount => segments(mount.destination).join('/') === 'dev'
    && (mount.type === 'bind' || (mount.options ?? []).some(option => option === 'bind' || option === 'rbind')))
}

/** The default devices and those of the spec, which win. */
export function plannedDevices(devices: readonly LinuxDevice[]): LinuxDevice[] {
  const named = new Set(devices.map(device => device.path))
  return [...defaultDevices.filter(device => !named.has(device.path)), ...devices]
}

/** Makes the device nodes; `bind`: in a user namespace, which may not mknod(2), the runtime's own nodes are bound. */
export function makeDevices(root: Root, devices: readonly LinuxDevice[], bind: boolean): void {
  for (const device of devices) {
    if (bind) bindDevice(root, device)
    else makeDevice(root, device)
  }
}

function makeDevice(root: Root, device: LinuxDevice): void {
  const type = fileTypes[device.type]
  if (type === undefined) throw new Fault(`device ${device.path} has the unknown type ${device.type}`)
  const { directory, name } = root.parent(device.path)
  using at = directory
  const mode = (device.fileMode ?? 0o666) & 0o7777
  const made = sys.mknodat(at.number, name, type | mode, device.major ?? 0, device.minor ?? 0)
  if (made === -E.EEXIST) {
    checkExisting(root, device, type)
    return
  }
  // A mount without the right to make nodes (nodev is another matter): what the runtime itself sees is bound.
  if (made === -E.EPERM) {
    bindDevice(root, device)
    return
  }
  check('mknod', `${device.path} in ${root.path}`, made)
  if (!device.uid && !device.gid) return
  // Without following what may have taken the name.
  check('chown', device.path, sys.fchownat(at.number, name, device.uid ?? 0, device.gid ?? 0, AT_SYMLINK_NOFOLLOW))
}

/** What is there already must be what was asked for (config-linux.md#devices). */
function checkExisting(root: Root, device: LinuxDevice, type: number): void {
  using there = root.find(device.path)
  if (!there) throw new SysError('open', `${device.path} in ${root.path}`, E.ENOENT)
  const stat = checked('statx', device.path, sys.statx(there.number, '', AT_EMPTY_PATH))
  const same = (stat.mode & S_IFMT) === type && (type === S_IFIFO || (stat.rdevMajor === device.major && stat.rdevMinor === device.minor))
  if (!same) throw new Fault(`${device.path} in ${root.path} is another file than the device asked for`, { fix: 'mount a tmpfs on /dev' })
}

function bindDevice(root: Root, device: LinuxDevice): void {
  using node = clonePath(device.path, false)
  using at = root.mountPoint(device.path, false)
  attach(node, at)
}

/** /dev/fd and its kin, /dev/core, and /dev/ptmx, which must be that of the container's own devpts instance. */
export function makeDevLinks(root: Root): void {
  for (const [path, target] of links) makeLink(root, path, target, false)
  if (exists('/proc/kcore')) makeLink(root, '/dev/core', '/proc/kcore', false)
  makeLink(root, '/dev/ptmx', 'pts/ptmx', true)
}

function makeLink(root: Root, path: string, target: string, replace: boolean): void {
  const { directory, name } = root.parent(path)
  using at = directory
  if (replace) {
    const there = sys.statx(at.number, name, AT_SYMLINK_NOFOLLOW)
    if (typeof there !== 'number' && (there.mode & S_IFMT) !== S_IFLNK) check('unlink', path, sys.unlinkat(at.number, name, 0))
  }
  const made = sys.symlinkat(target, at.number, name)
  // What the image brings under these names stays: it can only deceive itself.
  if (made !== -E.EEXIST) check('symlink', `${path} in ${root.path}`, made)
}
