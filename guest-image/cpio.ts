// Writes a cpio archive in the "newc" format, which the kernel unpacks into its first root filesystem.
// Source: Documentation/driver-api/early-userspace/buffer-format.rst of the kernel.

/** A file of the archive. Paths are relative, without a leading slash. */
export type Entry = { readonly path: string; readonly mode: number } & (
  | { readonly type: 'directory' }
  | { readonly type: 'file'; readonly content: Uint8Array }
  | { readonly type: 'character-device'; readonly major: number; readonly minor: number }
)

/** File type bits: include/uapi/linux/stat.h. */
const TYPE_BITS = { directory: 0o040000, file: 0o100000, 'character-device': 0o020000 } as const

const HEADER_BYTES = 110
const ALIGNMENT = 4
const TRAILER = 'TRAILER!!!'

const encoder = new TextEncoder()

interface Header {
  readonly inode: number
  readonly mode: number
  readonly links: number
  readonly sizeBytes: number
  readonly rdevMajor: number
  readonly rdevMinor: number
}

/** The 13 hexadecimal fields. Owner, device and time are zero in every entry: nothing of the building machine gets in. */
function headerText(header: Header, nameBytes: number): string {
  const uid = 0, gid = 0, mtime = 0, devMajor = 0, devMinor = 0, checksum = 0
  const fields = [
    header.inode, header.mode, uid, gid, header.links, mtime, header.sizeBytes,
    devMajor, devMinor, header.rdevMajor, header.rdevMinor, nameBytes, checksum,
  ]
  return '070701' + fields.map((field) => field.toString(16).padStart(8, '0')).join('')
}

const padding = (lengthBytes: number): Uint8Array => new Uint8Array((ALIGNMENT - (lengthBytes % ALIGNMENT)) % ALIGNMENT)

function record(name: string, header: Header, content: Uint8Array): Uint8Array[] {
  // The name's length counts its terminating NUL.
  const nameBytes = encoder.encode(`${name}\0`)
  return [
    encoder.encode(headerText(header, nameBytes.length)),
    nameBytes,
    padding(HEADER_BYTES + nameBytes.length),
    content,
    padding(content.length),
  ]
}

function entryRecord(entry: Entry, inode: number): Uint8Array[] {
  const content = entry.type === 'file' ? entry.content : new Uint8Array()
  const device = entry.type === 'character-device' ? entry : { major: 0, minor: 0 }
  const header = {
    inode,
    mode: TYPE_BITS[entry.type] | entry.mode,
    links: entry.type === 'directory' ? 2 : 1,
    sizeBytes: content.length,
    rdevMajor: device.major,
    rdevMinor: device.minor,
  }
  return record(entry.path, header, content)
}

function checkPaths(entries: readonly Entry[]): void {
  const directories = new Set<string>([''])
  const seen = new Set<string>()
  for (const { path, type } of entries) {
    if (path === '' || path.split('/').some((part) => part === '' || part === '.' || part === '..')) {
      throw new Error(`cpio: not a plain relative path: "${path}"`)
    }
    if (seen.has(path)) throw new Error(`cpio: ${path} is there twice`)
    // The kernel's unpacker makes no parents: a file without its directory is silently lost.
    const parent = path.slice(0, Math.max(0, path.lastIndexOf('/')))
    if (!directories.has(parent)) throw new Error(`cpio: ${path} has no entry for its directory ${parent}`)
    seen.add(path)
    if (type === 'directory') directories.add(path)
  }
}

/**
 * Returns the archive. The bytes depend on the entries only, not on their order, the clock or the machine.
 * @throws when a path is absolute, climbs, is there twice, or lacks an entry for its directory.
 */
export function writeCpio(entries: readonly Entry[]): Uint8Array {
  const byPath = (a: Entry, b: Entry): number => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0)
  const sorted = [...entries].sort(byPath)
  checkPaths(sorted)
  // Inode numbers start at 1: the unpacker takes 0 with several links for "not a hard link".
  const parts = sorted.flatMap((entry, index) => entryRecord(entry, index + 1))
  const trailer = { inode: 0, mode: 0, links: 1, sizeBytes: 0, rdevMajor: 0, rdevMinor: 0 }
  parts.push(...record(TRAILER, trailer, new Uint8Array()))
  return Buffer.concat(parts)
}
