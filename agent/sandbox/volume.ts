import * as sys from 'native:sys'
import { AT_FDCWD, O_DIRECTORY, O_NOFOLLOW, O_PATH } from '../../native/ts/constants/fcntl.ts'
import { MNT_DETACH, MS_NODEV, MS_NOEXEC, MS_NOSUID } from '../../native/ts/constants/mount.ts'
import { check, E } from '../../native/ts/errno.ts'
import { type Fd, open } from '../../native/ts/fd.ts'
import { exists, makeDirectories, removeDirectory } from '../../native/ts/file.ts'
import type { RemoveVolumeRequest, SetVolumeRequest, VolumeEntry } from '../../protocol/gen/agent.ts'
import { requireIdentifier } from '../identifier.ts'
import { invalid } from '../refusal.ts'
import { writePayload } from './payload.ts'
import { makeBelow } from './volume-entry.ts'

/** Where volumes in the guest's memory lie; the shim names them so in a container's spec. */
export const volumesDir = '/run/kata-ts/volumes'

const allowedFlags = MS_NOSUID | MS_NODEV | MS_NOEXEC

/**
 * SetVolume: makes the volume when it is not there, then brings it up to date. A volume that cannot be made is gone again.
 *
 * Containers that have the volume may move things in it at any time, and may be root: whatever is done here is done
 * below an open directory and follows no symlink.
 */
export function setVolume(request: SetVolumeRequest): object {
  requireIdentifier('volume', request.name)
  if ((request.mountFlags & ~allowedFlags) !== 0) throw invalid(`volume ${request.name}: mount flags ${request.mountFlags}`)
  const path = `${volumesDir}/${request.name}`
  const isNew = !exists(path)
  if (isNew) makeVolume(path, request)
  try {
    using top = openTop(path)
    for (const directory of request.directories) makeBelow(top, directory, request.top ?? ownerless)
    if (request.payload) writePayload(top, request.payload)
  } catch (error) {
    if (isNew) unmake(path)
    throw error
  }
  return {}
}

/** RemoveVolume: not there is what the host wants. */
export function removeVolume({ name }: RemoveVolumeRequest): object {
  requireIdentifier('volume', name)
  unmake(`${volumesDir}/${name}`)
  return {}
}

const ownerless: VolumeEntry = { path: '', isDirectory: true, mode: 0o755, uid: 0, gid: 0, data: new Uint8Array() }

function makeVolume(path: string, { sizeBytes, mountFlags, top = ownerless }: SetVolumeRequest): void {
  makeDirectories(path)
  const options = `mode=0${(top.mode & 0o7777).toString(8)},uid=${top.uid},gid=${top.gid},size=${sizeBytes}`
  const mounted = sys.mount('kata-ts', path, 'tmpfs', mountFlags, options)
  if (mounted < 0) removeDirectory(path)
  check('mount', `tmpfs on ${path}`, mounted)
}

function openTop(path: string): Fd {
  return open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0, AT_FDCWD)
}

function unmake(path: string): void {
  const unmounted = sys.umount2(path, MNT_DETACH)
  if (unmounted !== -E.ENOENT && unmounted !== -E.EINVAL) check('umount', path, unmounted)
  removeDirectory(path)
}
