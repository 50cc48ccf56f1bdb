import * as sys from 'native:sys'
import { check } from '../../native/ts/errno.ts'
import { makeDirectories } from '../../native/ts/file.ts'
import { invalid } from '../refusal.ts'

/** Where what the host shares appears: roots and volumes of the containers. */
export const shareDir = '/run/kata-ts/share'

/** A virtio-fs tag has at most 36 bytes (virtio specification, 5.11.4). */
const maxTagBytes = 36

/** Mounts the host's share. Throws SysError (EINVAL: the VM has no such device). */
export function mountShare(tag: string): void {
  if (!/^[A-Za-z0-9_.-]+$/.test(tag) || tag.length > maxTagBytes) throw invalid(`${JSON.stringify(tag)} is no tag of a virtio-fs share`)
  makeDirectories(shareDir)
  // Flags would be inherited by the submounts that virtiofsd announces, which are the containers' roots: nosuid and
  // nodev there would break setuid programs and devices. The host has both on its side of the share.
  check('mount', `virtiofs ${tag} on ${shareDir}`, sys.mount(tag, shareDir, 'virtiofs', 0, null))
}
