import * as sys from 'native:sys'
import { AT_REMOVEDIR, O_DIRECTORY, O_NOFOLLOW, O_RDONLY } from '../../native/ts/constants/fcntl.ts'
import { DT_DIR } from '../../native/ts/constants/stat.ts'
import { check, checked, E } from '../../native/ts/errno.ts'
import { Fd } from '../../native/ts/fd.ts'
import type { Payload, VolumeEntry } from '../../protocol/gen/agent.ts'
import { invalid } from '../refusal.ts'
import { makeEntry } from './volume-entry.ts'

/** The link that readers go through, and the name under which its successor is made (kubernetes pkg/volume/util/atomic_writer.go). */
const dataLink = '..data'
const nextDataLink = '..data_tmp'

/**
 * Brings a volume to the payload's version, as kubelet does on the host:
 *
 *   new directory with everything ─▶ ..data_tmp leads to it ─▶ renamed to ..data ─▶ links of new keys
 *     ─▶ links of keys that are gone removed ─▶ the old directory removed
 *
 * Who reads through `..data` sees the old version or the new one, and who watches it (inotify(7)) the events of a
 * container on the host. Borrows `top`.
 */
export function writePayload(top: Fd, payload: Payload): void {
  requireName(payload.version)
  const current = sys.readlinkat(top.number, dataLink)
  if (current !== payload.version) writeVersion(top, payload)
  for (const [name, target] of Object.entries(payload.links)) {
    requireName(name)
    const made = sys.symlinkat(target, top.number, name)
    if (made !== -E.EEXIST) check('symlink', name, made)
  }
  removeStale(top, payload)
}

function writeVersion(top: Fd, payload: Payload): void {
  const { version, directory, entries } = payload
  // Left by an update that failed half-way.
  removeTree(top, version)
  makeEntry(top, { ...(directory ?? defaultDirectory), path: version, isDirectory: true })
  for (const entry of entries) makeEntry(top, { ...entry, path: `${version}/${entry.path}` })
  sys.unlinkat(top.number, nextDataLink, 0)
  check('symlink', nextDataLink, sys.symlinkat(version, top.number, nextDataLink))
  check('rename', `${nextDataLink} to ${dataLink}`, sys.renameat2(top.number, nextDataLink, top.number, dataLink, 0))
}

const defaultDirectory: VolumeEntry = { path: '', isDirectory: true, mode: 0o755, uid: 0, gid: 0, data: new Uint8Array() }

/** Links first: none may lead into a version that is gone. */
function removeStale(top: Fd, { version, links }: Payload): void {
  const names = listing(top.number, '.').map(entry => entry.name)
  for (const name of names.filter(each => !each.startsWith('..') && !Object.hasOwn(links, each))) removeTree(top, name)
  for (const name of names.filter(each => each.startsWith('..') && each !== version && each !== dataLink)) removeTree(top, name)
}

/** Removes what is at `name` in `directory`, following no symlink. */
function removeTree(directory: Fd, name: string): void {
  const unlinked = sys.unlinkat(directory.number, name, 0)
  if (unlinked >= 0 || unlinked === -E.ENOENT) return
  if (unlinked !== -E.EISDIR) check('unlink', name, unlinked)
  using below = new Fd(check('open', name, sys.openat(directory.number, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0)), name)
  for (const entry of listing(below.number, '.')) {
    if (entry.type === DT_DIR) removeTree(below, entry.name)
    else check('unlink', entry.name, sys.unlinkat(below.number, entry.name, 0))
  }
  check('rmdir', name, sys.unlinkat(directory.number, name, AT_REMOVEDIR))
}

function listing(dirfd: number, path: string): sys.DirectoryEntry[] {
  return checked('readdir', path, sys.readdir(dirfd, path))
}

function requireName(name: string): void {
  if (name === '' || name === '.' || name === '..' || name.includes('/') || name.includes('\0')) throw invalid(`${JSON.stringify(name.slice(0, 256))} is no name in a volume`)
}
