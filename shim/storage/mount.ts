import * as sys from 'native:sys'
import { O_DIRECTORY, O_PATH, O_RDONLY } from '../../native/ts/constants/fcntl.ts'
import {
  MS_BIND, MS_DIRSYNC, MS_I_VERSION, MS_LAZYTIME, MS_NOATIME, MS_NODEV, MS_NODIRATIME, MS_NOEXEC, MS_NOSUID, MS_NOSYMFOLLOW,
  MS_RDONLY, MS_REC, MS_RELATIME, MS_STRICTATIME, MS_SYNCHRONOUS,
} from '../../native/ts/constants/mount.ts'
import { check } from '../../native/ts/errno.ts'
import { Fault } from '../../native/ts/fault.ts'
import { open } from '../../native/ts/fd.ts'

/** A mount as containerd describes it (api/types/mount.proto). */
export interface MountDescriptor {
  type: string
  source: string
  /** Subdirectory of the rootfs to mount at (containerd 2.0); empty: the rootfs itself. */
  target?: string
  options: readonly string[]
}

/** The same, as mount(2) takes it. */
export interface MountCall {
  type: string
  source: string
  flags: number
  data: string
}

/** mount(8): a word of the options, the flag it stands for, and whether it takes the flag away. */
const flagWords: Readonly<Record<string, readonly [flag: number, clear?: 'clear']>> = {
  defaults: [0], ro: [MS_RDONLY], rw: [MS_RDONLY, 'clear'], nosuid: [MS_NOSUID], suid: [MS_NOSUID, 'clear'],
  nodev: [MS_NODEV], dev: [MS_NODEV, 'clear'], noexec: [MS_NOEXEC], exec: [MS_NOEXEC, 'clear'],
  sync: [MS_SYNCHRONOUS], async: [MS_SYNCHRONOUS, 'clear'], dirsync: [MS_DIRSYNC], noatime: [MS_NOATIME], atime: [MS_NOATIME, 'clear'],
  nodiratime: [MS_NODIRATIME], diratime: [MS_NODIRATIME, 'clear'], relatime: [MS_RELATIME], norelatime: [MS_RELATIME, 'clear'],
  strictatime: [MS_STRICTATIME], nostrictatime: [MS_STRICTATIME, 'clear'], lazytime: [MS_LAZYTIME], nolazytime: [MS_LAZYTIME, 'clear'],
  iversion: [MS_I_VERSION], nosymfollow: [MS_NOSYMFOLLOW], bind: [MS_BIND], rbind: [MS_BIND | MS_REC],
}

/** Words that say how mounts propagate: what is shared with the guest is always private to the shim. */
const propagationWords = new Set(['private', 'rprivate', 'shared', 'rshared', 'slave', 'rslave', 'unbindable', 'runbindable'])

/** File systems that snapshotters hand over. Anything else is refused by name before a kernel error can be puzzling. */
const knownTypes = new Set(['bind', 'overlay', 'ext4', 'xfs', 'btrfs', 'erofs', 'zfs', 'tmpfs'])

/** mount(2): the options are one page with its NUL. */
const maxDataBytes = 4095

/** Reads a descriptor. Throws Fault for what this runtime cannot mount. */
export function parseMount(mount: MountDescriptor): MountCall {
  const type = mount.type === '' && mount.options.some(word => word === 'bind' || word === 'rbind') ? 'bind' : mount.type
  if (!knownTypes.has(type)) {
    throw new Fault(`rootfs mount of type ${JSON.stringify(mount.type)} is not supported`, {
      fix: `use a snapshotter whose mounts are one of ${[...knownTypes].join(', ')}, for example overlayfs or native`,
    })
  }
  if (mount.target) throw new Fault(`rootfs mount with a target of its own (${JSON.stringify(mount.target)}) is not supported`)
  if (type !== 'tmpfs' && type !== 'overlay' && !mount.source.startsWith('/')) {
    throw new Fault(`${type} mount of ${JSON.stringify(mount.source)}: the source is no absolute path`)
  }
  let flags = type === 'bind' ? MS_BIND : 0
  const data: string[] = []
  for (const word of mount.options) {
    const known = flagWords[word]
    if (known) flags = known[1] ? flags & ~known[0] : flags | known[0]
    else if (word === 'loop') throw new Fault(`${type} mount of ${mount.source} needs a loop device, which is not supported`)
    else if (word.startsWith('X-')) throw new Fault(`mount option ${JSON.stringify(word)} is not supported`)
    // Not the file system's: see id-mapped.ts.
    else if (!propagationWords.has(word) && !/^[ug]idmap=/.test(word)) data.push(word)
  }
  return { type, source: mount.source, flags, data: data.join(',') }
}

/**
 * mount(2) at `target`, an absolute path. For a bind, read-only and other flags do not apply here: set them with
 * mount_setattr(2) afterwards. Throws SysError; Fault when the options do not fit into a page.
 */
export function mountAt(call: MountCall, target: string): void {
  const flags = call.flags & MS_BIND ? call.flags & (MS_BIND | MS_REC) : call.flags
  const type = call.flags & MS_BIND ? null : call.type
  const what = `${call.type} ${call.source} on ${target}`
  if (sys.utf8Encode(call.data).length <= maxDataBytes) {
    check('mount', what, sys.mount(call.source, target, type, flags, call.data || null))
    return
  }
  mountWithRelativeLayers(call, what, target)
}

/** Overlay with many layers: their common directory becomes the working directory for the call, and each is named below it. */
function mountWithRelativeLayers(call: MountCall, what: string, target: string): void {
  const { directory, data } = relativeLayers(call)
  // One thread and no await in between: nobody else sees the working directory change.
  using before = open('.', O_RDONLY | O_DIRECTORY | O_PATH)
  check('chdir', directory, sys.chdir(directory))
  try {
    check('mount', what, sys.mount(call.source, target, call.type, call.flags, data))
  } finally {
    check('fchdir', 'back', sys.fchdir(before.number))
  }
}

/** The options with every lowerdir relative to `directory`. Throws Fault when that is still too long. */
export function relativeLayers(call: MountCall): { directory: string; data: string } {
  const words = call.data.split(',')
  const layers = words.find(word => word.startsWith('lowerdir='))?.slice('lowerdir='.length).split(':') ?? []
  const directory = commonDirectory(layers)
  const relative = layers.map(layer => layer.slice(directory.length + 1)).join(':')
  const data = words.map(word => (word.startsWith('lowerdir=') ? `lowerdir=${relative}` : word)).join(',')
  if (directory === '' || call.type !== 'overlay' || sys.utf8Encode(data).length > maxDataBytes) {
    throw new Fault(`${call.type} mount options of ${call.data.length} bytes do not fit into a page, ${layers.length} layers`, {
      fix: 'use an image with fewer layers',
    })
  }
  return { directory, data }
}

/** The deepest directory that all paths lie below; empty when it is the root or a path is not absolute. */
function commonDirectory(paths: readonly string[]): string {
  const [first = '', ...rest] = paths
  let directory = first.slice(0, Math.max(0, first.lastIndexOf('/')))
  while (directory !== '' && !rest.every(path => path.startsWith(`${directory}/`))) directory = directory.slice(0, directory.lastIndexOf('/'))
  return directory
}
