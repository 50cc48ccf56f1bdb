/** The root filesystem of the test images: Debian's busybox-static and a few accounts. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import type { RootfsEntry } from './oci-image.ts'

const passwd = `root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/bin/false
www-data:x:33:33:www-data:/var/www:/bin/false
app:x:1000:1000:app:/home:/bin/sh
nobody:x:65534:65534:nobody:/home:/bin/false
`
const group = `root:x:0:
daemon:x:1:
www-data:x:33:
audio:x:29:app
users:x:100:
app:x:1000:
nogroup:x:65534:
`
const directories = ['dev', 'etc', 'home', 'proc', 'root', 'run', 'sys', 'tmp', 'usr', 'var', 'var/tmp', 'var/www']

/** Root filesystem with every applet as a hard link to one busybox. */
export function busyboxRootfs(binary: string): RootfsEntry[] {
  const applets = execFileSync(binary, ['--list'], { encoding: 'utf8' }).split('\n').filter((name) => name !== '')
  return [
    { path: 'bin', kind: 'directory' },
    { path: 'bin/busybox', kind: 'file', mode: 0o755, content: readFileSync(binary) },
    ...applets.filter((name) => name !== 'busybox').sort()
      .map((name): RootfsEntry => ({ path: `bin/${name}`, kind: 'hardlink', target: 'bin/busybox' })),
    ...directories.map((path): RootfsEntry =>
      ({ path, kind: 'directory', mode: path.endsWith('tmp') ? 0o1777 : path === 'root' ? 0o700 : 0o755 })),
    { path: 'sbin', kind: 'symlink', target: 'bin' },
    { path: 'usr/bin', kind: 'symlink', target: '../bin' },
    { path: 'usr/sbin', kind: 'symlink', target: '../bin' },
    { path: 'etc/passwd', kind: 'file', content: passwd },
    { path: 'etc/group', kind: 'file', content: group },
    { path: 'etc/hosts', kind: 'file', content: '127.0.0.1 localhost\n' },
  ]
}
