/**
 * The images of the CRI stack, as the storage of its registry: pause, busybox, nginx, and those that critest asks for
 * (pkg/validate/consts.go of cri-tools), each under its upstream name.
 *
 *   tsx hack/images/cri.ts DEBIAN-DIR PROGRAMS-DIR OUT-DIR
 *
 * DEBIAN-DIR holds the unpacked packages, PROGRAMS-DIR pause and effective-uid. OUT-DIR/digest says which digest the
 * image has that critest wants by digest.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { busyboxRootfs } from './busybox-rootfs.ts'
import { debianFiles } from './debian-files.ts'
import { defaultPath, makeImage, packLayer } from './oci-image.ts'
import type { Image, ImageConfig, RootfsEntry } from './oci-image.ts'
import { addToRegistry } from './registry-layout.ts'

const [debian, programs, out] = process.argv.slice(2)
if (debian === undefined || programs === undefined || out === undefined) {
  throw new Error('usage: tsx hack/images/cri.ts DEBIAN-DIR PROGRAMS-DIR OUT-DIR')
}

const critools = 'k8s-staging-cri-tools'
const e2e = 'e2e-test-images'
const program = (name: string, mode = 0o755): RootfsEntry =>
  ({ path: name, kind: 'file', mode, content: readFileSync(join(programs, name)) })
const script = (path: string, content: string): RootfsEntry => ({ path, kind: 'file', mode: 0o755, content: `#!/bin/sh\n${content}\n` })
const file = (path: string, content: string): RootfsEntry => ({ path, kind: 'file', content })
const directory = (path: string): RootfsEntry => ({ path, kind: 'directory' })

/** Debian's busybox lacks two applets that critest calls. */
const busybox = [
  ...busyboxRootfs(join(debian, 'busybox-static/bin/busybox')),
  script('bin/pgrep', 'for pid in $(pidof "$1"); do echo "$pid"; done; [ -n "$pid" ]'),
  script('bin/ipcs', 'cat /proc/sysvipc/shm'),
]

/** The busybox image with more files, or others of the same names. */
function withFiles(...more: RootfsEntry[]): RootfsEntry[] {
  const replaced = new Set(more.map((entry) => entry.path))
  return [...busybox.filter((entry) => !replaced.has(entry.path)), ...more]
}

/**
 * critest masks /bin/ls and expects its shell to find that. The shell of busybox-static runs `ls` itself; that of the
 * package busybox does not, and wants a C library.
 */
function shellThatExecutes(): RootfsEntry[] {
  const root = debian as string // checked above
  const libraries = debianFiles([join(root, 'libc6')]).filter((entry) => /\/(ld-linux-x86-64|libc|libresolv)\.so\.\d$/.test(entry.path) || entry.path === 'lib64')
  return withFiles(...libraries, { path: 'bin/sh', kind: 'file', mode: 0o755, content: readFileSync(join(root, 'busybox/bin/busybox')) })
}

function nginx(port: number): RootfsEntry[] {
  const packages = ['nginx', 'libc6', 'libcrypt1', 'libpcre2-8-0', 'libssl3', 'zlib1g']
  const configuration = `daemon off; user www-data; worker_processes 1; error_log stderr; pid /run/nginx.pid;
events { worker_connections 64; }
http {
  access_log /dev/stdout;
  server { listen ${port}; listen [::]:${port}; root /usr/share/nginx/html; }
}
`
  const directories = ['var/lib/nginx/body', 'var/log/nginx', 'usr/share/nginx/html', 'etc/nginx', 'lib64']
  return withFiles(
    ...debianFiles(packages.map((name) => join(debian as string, name))), // checked above
    ...directories.map(directory), { path: 'var/run', kind: 'symlink', target: '../run' }, file('etc/nginx/nginx.conf', configuration), file('var/log/nginx/error.log', ''),
    file('usr/share/nginx/html/index.html', '<h1>It works!</h1>\n'),
  )
}

const predefinedGroup = withFiles(
  file('etc/passwd', `${contentOf('etc/passwd').replace(/^app:.*\n/m, '')}default-user:x:1000:1000::/home:/bin/sh\n`),
  file('etc/group', `${contentOf('etc/group').replace(/^app:.*\n/m, '')}default-user:x:1000:\ngroup-defined-in-image:x:50000:default-user\n`),
)

function contentOf(path: string): string {
  const entry = busybox.find((candidate) => candidate.path === path)
  if (entry?.kind !== 'file') throw new Error(`no file ${path} in the busybox image`)
  return entry.content.toString()
}

const shell = await packLayer(busybox)
const pause = await packLayer([program('pause')])
const shellImage = (config: Partial<ImageConfig> = {}): Image => makeImage(shell, { env: [defaultPath], command: ['sh'], ...config })
/** Different images of the same files: one variable makes the difference. */
const marked = (mark: string): Image => shellImage({ env: [defaultPath, `IMAGE=${mark}`] })
const imageOf = async (entries: RootfsEntry[], config: Partial<ImageConfig>): Promise<Image> =>
  makeImage(await packLayer(entries), { env: [defaultPath], command: ['sh'], ...config })
const pauseImage = (version: string): Image => makeImage(pause, { env: [defaultPath, `PAUSE=${version}`], command: [], entrypoint: ['/pause'] })

const images: Record<string, Image> = {
  'pause:3.10': pauseImage('3.10'),
  // critest removes 3.9, so it must not be the image that sandboxes run from.
  'pause:3.9': pauseImage('3.9'),
  'library/busybox:latest': shellImage(),
  [`${e2e}/busybox:1.29-2`]: await imageOf(shellThatExecutes(), {}),
  [`${e2e}/nginx:1.14-2`]: await imageOf(nginx(80), { command: ['nginx'] }),
  [`${e2e}/httpd:2.4.39-4`]: await imageOf(withFiles(directory('www'), file('www/index.html', '<h1>It works!</h1>\n')),
    { command: ['sh', '-c', 'echo httpd starts; exec httpd -f -v -p 80 -h /www'] }),
  [`${e2e}/nonewprivs:1.3`]: await imageOf(withFiles(program('effective-uid', 0o4755)), { command: ['/effective-uid'] }),
  [`${critools}/hostnet-nginx-amd64:latest`]: await imageOf(nginx(12003), { command: ['nginx'] }),
  [`${critools}/test-image-user-uid:latest`]: shellImage({ user: '1002' }),
  [`${critools}/test-image-user-username:latest`]: shellImage({ user: 'www-data' }),
  [`${critools}/test-image-user-uid-group:latest`]: shellImage({ user: '1003:users' }),
  [`${critools}/test-image-user-username-group:latest`]: shellImage({ user: 'www-data:100' }),
  [`${critools}/test-image-predefined-group:latest`]: await imageOf(predefinedGroup, { user: '1000' }),
  [`${critools}/test-image-latest:latest`]: marked('latest'),
  [`${critools}/test-image-tag:test`]: marked('tag-test'),
  [`${critools}/test-image-tag:all`]: marked('tag-all'),
  [`${critools}/test-image-digest:latest`]: marked('digest'),
}
for (const number of [1, 2, 3]) {
  images[`${critools}/test-image-${number}:latest`] = marked(`different-${number}`)
  images[`${critools}/test-image-tags:${number}`] = marked('same')
}
images['library/nginx:latest'] = images[`${e2e}/nginx:1.14-2`] as Image // made above

for (const [name, image] of Object.entries(images)) {
  const colon = name.lastIndexOf(':')
  addToRegistry(out, name.slice(0, colon), name.slice(colon + 1), image)
}
writeFileSync(join(out, 'digest'), (images[`${critools}/test-image-digest:latest`] as Image).descriptor.digest.slice('sha256:'.length))
