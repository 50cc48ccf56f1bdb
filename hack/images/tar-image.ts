/**
 * An OCI image archive of one layer that is a tar file already.
 *
 *   tsx hack/images/tar-image.ts REFERENCE LAYER.tar OUT.tar COMMAND...
 */
import { readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { writeLayerArchive } from './oci-archive.ts'
import { defaultPath, digestOf } from './oci-image.ts'

const [reference, file, out, ...command] = process.argv.slice(2)
if (reference === undefined || file === undefined || out === undefined) throw new Error('usage: tsx hack/images/tar-image.ts REFERENCE LAYER.tar OUT.tar COMMAND...')
const tar = readFileSync(file)
// A whole system is packed quickly rather than small: it is read once, on this machine.
await writeLayerArchive(out, reference, { blob: gzipSync(tar, { level: 1 }), diffId: digestOf(tar) }, { env: [defaultPath], command })
