import * as sys from 'native:sys'
import { AT_FDCWD } from '../../native/ts/constants/fcntl.ts'
import { MNT_DETACH, MOVE_MOUNT_F_EMPTY_PATH, OPEN_TREE_CLOEXEC, OPEN_TREE_CLONE, UMOUNT_NOFOLLOW } from '../../native/ts/constants/mount.ts'
import { check } from '../../native/ts/errno.ts'
import { Fault } from '../../native/ts/fault.ts'
import { Fd } from '../../native/ts/fd.ts'
import { makeDirectories, removeDirectory } from '../../native/ts/file.ts'
import { type IdMapping, type IdMappings, makeUserNamespace, mapMountIds } from '../../native/ts/user-namespace.ts'
import { mountAt, type MountCall } from './mount.ts'

/**
 * The mappings that containerd gives a snapshot's mount (`uidmap=0:100000:65536`, container:host:size). Throws Fault for others.
 */
export function mappingsOfOptions(options: readonly string[]): IdMappings | undefined {
  const value = (name: string): string | undefined => options.find(option => option.startsWith(`${name}=`))?.slice(name.length + 1)
  const [uids, gids] = [value('uidmap'), value('gidmap')]
  if (uids === undefined && gids === undefined) return undefined
  return { uids: parseMap('uidmap', uids), gids: parseMap('gidmap', gids) }
}

function parseMap(name: string, text = ''): IdMapping[] {
  return text.split(',').map(part => {
    const numbers = part.split(':').map(Number)
    const [containerID = -1, hostID = -1, size = -1] = numbers
    if (numbers.length === 3 && numbers.every(number => Number.isSafeInteger(number) && number >= 0) && size > 0) return { containerID, hostID, size }
    throw new Fault(`rootfs mount with ${name}=${text}: this is no mapping`, { fix: 'it must be container:host:size' })
  })
}

/**
 * mount(2) at `target` with its ids mapped. overlayfs cannot map ids, but its layers can: each is mapped at a place of its own
 * below `scratch` for as long as the call takes (the overlay keeps clones of them). Throws SysError or Fault; nothing is left then.
 */
export function mountMapped(call: MountCall, mappings: IdMappings, target: string, scratch: string): void {
  using namespace = makeUserNamespace(mappings)
  if (call.type === 'overlay') {
    mountOverMappedLayers(call, namespace, target, scratch)
    return
  }
  mountAt(call, target)
  try {
    using mapped = mappedClone(target, namespace)
    // Only a clone that is attached nowhere can be mapped: it takes the place of what it was cloned from.
    check('umount', target, sys.umount2(target, MNT_DETACH | UMOUNT_NOFOLLOW))
    attach(mapped, target)
  } catch (error) {
    sys.umount2(target, MNT_DETACH | UMOUNT_NOFOLLOW)
    throw error
  }
}

function mountOverMappedLayers(call: MountCall, namespace: Fd, target: string, scratch: string): void {
  const words = call.data.split(',')
  const layers = words.find(word => word.startsWith('lowerdir='))?.slice('lowerdir='.length).split(':') ?? []
  const places = layers.map((_, index) => `${scratch}/${index}`)
  try {
    layers.forEach((layer, index) => {
      const place = `${scratch}/${index}`
      makeDirectories(place)
      using mapped = mappedClone(layer, namespace)
      attach(mapped, place)
    })
    mountAt({ ...call, data: words.map(word => (word.startsWith('lowerdir=') ? `lowerdir=${places.join(':')}` : word)).join(',') }, target)
  } finally {
    for (const place of places) {
      sys.umount2(place, MNT_DETACH | UMOUNT_NOFOLLOW)
      removeDirectory(place)
    }
    removeDirectory(scratch)
  }
}

function mappedClone(path: string, namespace: Fd): Fd {
  const clone = new Fd(check('open_tree', path, sys.openTree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC)), path)
  try {
    mapMountIds(clone, namespace, false)
    return clone
  } catch (error) {
    clone.close()
    throw error
  }
}

function attach(mount: Fd, at: string): void {
  check('move_mount', at, sys.moveMount(mount.number, '', AT_FDCWD, at, MOVE_MOUNT_F_EMPTY_PATH))
}
