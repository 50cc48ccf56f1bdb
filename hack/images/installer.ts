/**
 * The image that deploy/daemonset.yaml installs nodes from: busybox, and a tree of hack/install below /tree.
 *
 *   tsx hack/images/installer.ts BUSYBOX-BINARY TREE OUT.tar
 */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join, relative } from 'node:path'
import { busyboxRootfs } from './busybox-rootfs.ts'
import { writeOciArchive } from './oci-archive.ts'
import { defaultPath } from './oci-image.ts'
import type { RootfsEntry } from './oci-image.ts'

const [binary, tree, out] = process.argv.slice(2)
if (binary === undefined || tree === undefined || out === undefined) throw new Error('usage: tsx hack/images/installer.ts BUSYBOX TREE OUT.tar')

function entriesOf(directory: string): RootfsEntry[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .map((entry): RootfsEntry => {
      const path = join(entry.parentPath, entry.name)
      const inImage = join('tree', relative(directory, path))
      if (entry.isDirectory()) return { path: inImage, kind: 'directory' }
      return { path: inImage, kind: 'file', mode: statSync(path).mode & 0o777, content: readFileSync(path) }
    })
    .sort((one, other) => (one.path < other.path ? -1 : 1))
}

await writeOciArchive(out, 'docker.io/library/kata-ts-installer:latest', [...busyboxRootfs(binary), { path: 'tree', kind: 'directory' }, ...entriesOf(tree)],
  { env: [defaultPath], command: ['sh'] })
