import { copyFileSync, linkSync, mkdirSync } from 'node:fs'

const applets = [
  'sh', 'echo', 'cat', 'sleep', 'true', 'false', 'dd', 'head', 'wc', 'stty', 'tty', 'kill', 'id', 'ls', 'mount', 'hostname',
  'date', 'tail', 'readlink', 'ping', 'stat', 'mkdir', 'ps', 'grep',
]

/** A root directory with Debian's static busybox in it. */
export function makeRootfs(root: string): void {
  for (const directory of ['bin', 'dev', 'etc', 'proc', 'sys', 'tmp', 'root']) mkdirSync(`${root}/${directory}`, { recursive: true })
  copyFileSync('/bin/busybox', `${root}/bin/busybox`)
  for (const applet of applets) linkSync(`${root}/bin/busybox`, `${root}/bin/${applet}`)
}
