/** Files of unpacked Debian packages, as entries of a root filesystem whose /sbin, /usr/bin and /usr/sbin are /bin. */
import { lstatSync, readFileSync, readdirSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import type { RootfsEntry } from './oci-image.ts'

/** Everything below the directories in `packages` but documentation. A path that two packages have is the first one's. */
export function debianFiles(packages: readonly string[]): RootfsEntry[] {
  const entries = new Map<string, RootfsEntry>()
  for (const root of packages) {
    for (const path of paths(root)) {
      const name = path.replace(/^(usr\/)?s?bin\//, 'bin/')
      if (entries.has(name)) continue
      const file = join(root, path)
      const stat = lstatSync(file)
      if (stat.isSymbolicLink()) entries.set(name, { path: name, kind: 'symlink', target: readlinkSync(file) })
      else if (stat.isFile()) entries.set(name, { path: name, kind: 'file', mode: stat.mode & 0o7777, content: readFileSync(file) })
    }
  }
  return [...entries.values()].sort((a, b) => (a.path < b.path ? -1 : 1))
}

/** Relative paths of everything below `root` that is not a directory; VERSION is the cache's own. */
function paths(root: string): string[] {
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((path) => path !== 'VERSION' && !/^usr\/share\/(doc|man|locale|lintian|doc-base)\//.test(path))
    .filter((path) => !lstatSync(join(root, path)).isDirectory())
}
