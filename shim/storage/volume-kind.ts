import * as sys from 'native:sys'
import { Fault } from '../../native/ts/fault.ts'
import { readText, stat } from '../../native/ts/file.ts'
import { type MountInfo, mountsBelow } from './kernel-file-systems.ts'

/** include/uapi/linux/magic.h */
const TMPFS_MAGIC = 0x01021994
const HUGETLBFS_MAGIC = 0x958458f6

/** kubelet's directory of a pod's volume (pkg/volume, GetPodVolumeDir), and of a part of one that a container has (pkg/volume/util/subpath). */
const volumePath = /\/volumes\/kubernetes\.io~([^/]+)\/[^/]+$/
const subPath = /\/volume-subpaths\/[^/]+\/[^/]+\/\d+$/

const payloadPlugins = new Set(['configmap', 'secret', 'projected', 'downward-api'])

/**
 * Where a bind mount's source belongs:
 *
 * - `share`: it stays on the host.
 * - `payload`: kubelet keeps it up to date there; the guest has a copy, because virtio-fs carries no inotify.
 * - `memory`: it is memory, and must be the guest's: an emptyDir of medium Memory (or, with `directory`, a part of one), /dev/shm.
 */
export type VolumeKind =
  | { is: 'share' }
  | { is: 'payload'; source: string }
  | { is: 'memory'; source: string; directory?: string }

/** Looks at the host. `shared`: the source is not there, which the share has the words for. Throws Fault for huge pages. */
export function volumeKind(source: string, destination: string): VolumeKind {
  const type = statfsType(source)
  if (type === undefined) return { is: 'share' }
  if (destination === '/dev/shm' && type === TMPFS_MAGIC) return { is: 'memory', source }
  const plugin = volumePath.exec(source)?.[1]
  if (plugin !== undefined && payloadPlugins.has(plugin)) return { is: 'payload', source }
  if (plugin === 'empty-dir' && type === HUGETLBFS_MAGIC) {
    throw new Fault(`volume ${source} is made of the host's huge pages, which a microVM cannot share`, { fix: 'use medium: Memory' })
  }
  if (plugin === 'empty-dir' && type === TMPFS_MAGIC && isMountPoint(source)) return { is: 'memory', source }
  if (subPath.test(source) && type === TMPFS_MAGIC) return partOfMemory(source)
  return { is: 'share' }
}

/** kubelet binds a subPath from the volume: where both are mounts of one tmpfs, mountinfo tells which part it is. */
function partOfMemory(source: string): VolumeKind {
  const mounts = mountsBelow(readText('/proc/self/mountinfo'), '')
  const part = mounts.findLast(mount => mount.point === source)
  const whole = part && mounts.find(mount => mount.device === part.device && mount.root === '/' && isMemoryVolume(mount))
  if (!whole || part.root === '/') return { is: 'share' }
  return { is: 'memory', source: whole.point, directory: part.root.slice(1) }
}

function isMemoryVolume({ point, type }: MountInfo): boolean {
  return type === 'tmpfs' && volumePath.exec(point)?.[1] === 'empty-dir'
}

function statfsType(path: string): number | undefined {
  const found = sys.statfs(path)
  return typeof found === 'number' ? undefined : found.type >>> 0
}

/** An emptyDir on disk may lie on a tmpfs as well: what is memory by kubelet's will has a mount of its own. */
function isMountPoint(path: string): boolean {
  return stat(path).mountId !== stat(path.slice(0, path.lastIndexOf('/'))).mountId
}
