import * as sys from 'native:sys'
import { MS_BIND, MS_MOVE, MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_RDONLY, MS_REMOUNT } from '../../native/ts/constants/mount.ts'
import { check } from '../../native/ts/errno.ts'
import { makeDirectory } from '../../native/ts/file.ts'

interface EarlyMount {
  type: string
  /** Below the new root. */
  at: string
  flags: number
  data?: string
  /** Made on the file system above it. */
  makes?: boolean
}

const noExec = MS_NOSUID | MS_NODEV | MS_NOEXEC

/** In the image's first root file system (guest-image/initrd.ts). */
const newRoot = '/newroot'

/**
 * What is mounted besides /proc, parents first. The sizes bound what the agent itself and the default /dev/shm can
 * take of the guest's memory; containers have tmpfs mounts of their own.
 */
const earlyMounts: readonly EarlyMount[] = [
  { type: 'sysfs', at: '/sys', flags: noExec, makes: true },
  { type: 'cgroup2', at: '/sys/fs/cgroup', flags: noExec, data: 'nsdelegate,memory_recursiveprot' },
  { type: 'devtmpfs', at: '/dev', flags: MS_NOSUID | MS_NOEXEC, data: 'mode=0755', makes: true },
  { type: 'devpts', at: '/dev/pts', flags: MS_NOSUID | MS_NOEXEC, data: 'gid=5,mode=0620,ptmxmode=0666', makes: true },
  { type: 'tmpfs', at: '/dev/shm', flags: noExec, data: 'mode=1777,size=50%', makes: true },
  { type: 'mqueue', at: '/dev/mqueue', flags: noExec, makes: true },
  { type: 'tmpfs', at: '/run', flags: MS_NOSUID | MS_NODEV, data: 'mode=0755,size=16m', makes: true },
]

/** The new root and /proc in it: all that is needed before dialling. */
export function mountRootAndProc(): void {
  check('mount', `tmpfs on ${newRoot}`, sys.mount('root', newRoot, 'tmpfs', MS_NOSUID | MS_NODEV, 'mode=0755,size=1m'))
  mountOne({ type: 'proc', at: '/proc', flags: noExec, makes: true })
}

/** /proc/cmdline while the new root is not yet `/`. */
export const earlyCommandLine = `${newRoot}/proc/cmdline`

/**
 * Mounts the rest and moves there. The first root file system cannot be pivoted away (pivot_root(2): EINVAL), so
 * the new root is moved over it. It stays below, with the agent's binary, and is read-only from then on: a container
 * that gets hold of /proc/self/exe of the agent cannot write to it (CVE-2019-5736).
 */
export function mountRestAndMove(): void {
  for (const mount of earlyMounts) mountOne(mount)
  makeDirectory(`${newRoot}/tmp`, 0o1777)
  // Searched by root of a user namespace, which is nobody here; its entries are not listed.
  makeDirectory(`${newRoot}/run/kata-ts`, 0o711)
  makeDirectory(`${newRoot}/run/kata-ts/share`)
  check('mount', 'first root read-only (mount)', sys.mount(null, '/', null, MS_REMOUNT | MS_BIND | MS_RDONLY, null))
  check('mount', 'first root read-only (file system)', sys.mount(null, '/', null, MS_REMOUNT | MS_RDONLY, null))
  check('mount', `${newRoot} read-only`, sys.mount(null, newRoot, null, MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV, 'mode=0755,size=1m'))
  check('chdir', newRoot, sys.chdir(newRoot))
  check('mount', `${newRoot} to /`, sys.mount('.', '/', null, MS_MOVE, null))
  check('chroot', newRoot, sys.chroot('.'))
  check('chdir', '/', sys.chdir('/'))
}

function mountOne({ type, at, flags, data, makes }: EarlyMount): void {
  const target = newRoot + at
  if (makes) makeDirectory(target)
  check('mount', `${type} on ${at}`, sys.mount(type, target, type, flags, data ?? null))
}
