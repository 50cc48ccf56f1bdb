import * as sys from 'native:sys'
import { AT_FDCWD, AT_SYMLINK_NOFOLLOW, O_NOFOLLOW, O_RDONLY } from '../../native/ts/constants/fcntl.ts'
import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from '../../native/ts/constants/stat.ts'
import { check, checked, E, isErrno } from '../../native/ts/errno.ts'
import { Fault } from '../../native/ts/fault.ts'
import { open } from '../../native/ts/fd.ts'
import { fstat, stat } from '../../native/ts/file.ts'
import type { Payload, VolumeEntry } from '../../protocol/gen/agent.ts'

/** A ConfigMap or Secret holds at most 1 MiB (pkg/apis/core/validation); a projected volume several of them. One message carries 4 MiB. */
export const maxPayloadBytes = 3 * 1024 * 1024
export const maxPayloadEntries = 1024

/** How often a volume may be replaced while it is read before that is an error. */
const maxTries = 5

const dataLink = '..data'
const permissionBits = 0o7777

/**
 * What kubelet keeps in a ConfigMap's, Secret's, downward API or projected volume (pkg/volume/util/atomic_writer.go):
 *
 *   ..2026_11_28_20_00_00.123/   a version: files, and directories of files
 *   ..data                       → the version that counts
 *   <key>                        → ..data/<key>
 *
 * One version, whole. Throws Fault for a directory that is kept otherwise or holds too much, SysError when it is gone.
 */
export function readPayload(source: string): Payload {
  for (let tries = 0; ; tries++) {
    const version = versionOf(source)
    try {
      const payload = readVersion(source, version)
      if (versionOf(source) === version) return payload
    } catch (error) {
      // Replaced meanwhile, and the old version is gone.
      if (!isErrno(error, E.ENOENT) || tries >= maxTries) throw error
    }
    if (tries >= maxTries) throw new Fault(`${source} changes faster than it can be read`)
  }
}

/** Two payloads of one volume with equal keys are equal: kubelet writes a version once, under a name of its own. */
export function payloadKey({ version, links }: Payload): string {
  return JSON.stringify([version, Object.entries(links).sort()])
}

function versionOf(source: string): string {
  const target = sys.readlinkat(AT_FDCWD, `${source}/${dataLink}`)
  if (target === -E.EINVAL || target === -E.ENOENT) throw new Fault(`${source} has no link ${dataLink}`)
  const version = checked<string>('readlink', `${source}/${dataLink}`, target)
  if (version.includes('/') || !version.startsWith('..') || version === '..') throw new Fault(`${source}/${dataLink} leads to ${JSON.stringify(version)}, which is no version beside it`)
  return version
}

function readVersion(source: string, version: string): Payload {
  const reader = new Reader(`${source}/${version}`)
  return { version, directory: reader.directory(''), entries: reader.entries, links: readLinks(source, version) }
}

function readLinks(source: string, version: string): Record<string, string> {
  const links: Record<string, string> = {}
  for (const { name } of checked('readdir', source, sys.readdir(AT_FDCWD, source))) {
    // Versions that are about to go, and the next ..data.
    if (name.startsWith('..')) continue
    const target = sys.readlinkat(AT_FDCWD, `${source}/${name}`)
    if (typeof target === 'string') links[name] = target
    else if (target !== -E.ENOENT) throw new Fault(`${source}/${name} is no link into ${version}`)
  }
  return links
}

/** Reads a tree of files and directories, and counts. */
class Reader {
  readonly entries: VolumeEntry[] = []
  #bytes = 0

  constructor(private readonly top: string) {}

  /** The directory's own entry; what is in it is added to `entries`. */
  directory(path: string): VolumeEntry {
    const full = this.#full(path)
    const self = entryOf(path, stat(full, AT_SYMLINK_NOFOLLOW))
    for (const { name } of checked('readdir', full, sys.readdir(AT_FDCWD, full))) this.#add(path === '' ? name : `${path}/${name}`)
    return self
  }

  #add(path: string): void {
    if (this.entries.length >= maxPayloadEntries) throw new Fault(`${this.top} has more than ${maxPayloadEntries} entries`)
    const { mode } = stat(this.#full(path), AT_SYMLINK_NOFOLLOW)
    if ((mode & S_IFMT) === S_IFDIR) {
      const at = this.entries.length
      const directory = this.directory(path)
      this.entries.splice(at, 0, directory)
    } else if ((mode & S_IFMT) === S_IFREG) this.entries.push(this.#file(path))
    else throw new Fault(`${this.#full(path)} is ${(mode & S_IFMT) === S_IFLNK ? 'a symlink' : 'no regular file'}`)
  }

  #file(path: string): VolumeEntry {
    using file = open(this.#full(path), O_RDONLY | O_NOFOLLOW)
    const self = fstat(file.number, file.what)
    this.#bytes += self.size
    if (this.#bytes > maxPayloadBytes) throw new Fault(`${this.top} holds more than ${maxPayloadBytes} bytes`)
    const data = new Uint8Array(self.size)
    for (let done = 0; done < data.length;) {
      const got = check('read', file.what, sys.read(file.number, data, done, data.length - done))
      // kubelet writes a file once, before it counts: a shorter one is another.
      if (got === 0) throw new Fault(`${file.what} changed while it was read`)
      done += got
    }
    return { ...entryOf(path, self), data }
  }

  #full(path: string): string {
    return path === '' ? this.top : `${this.top}/${path}`
  }
}

/** A file's entry, its data still empty. */
export function entryOf(path: string, { mode, uid, gid }: sys.Stat): VolumeEntry {
  return { path, isDirectory: (mode & S_IFMT) === S_IFDIR, mode: mode & permissionBits, uid, gid, data: new Uint8Array() }
}
