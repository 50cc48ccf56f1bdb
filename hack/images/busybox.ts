/**
 * docker.io/library/busybox:latest from Debian's busybox-static.
 *
 *   tsx hack/images/busybox.ts BUSYBOX-BINARY OUT.tar
 */
import { busyboxRootfs } from './busybox-rootfs.ts'
import { writeOciArchive } from './oci-archive.ts'
import { defaultPath } from './oci-image.ts'

const [binary, out] = process.argv.slice(2)
if (binary === undefined || out === undefined) throw new Error('usage: tsx hack/images/busybox.ts BUSYBOX OUT.tar')
await writeOciArchive(out, 'docker.io/library/busybox:latest', busyboxRootfs(binary), { env: [defaultPath], command: ['sh'] })
