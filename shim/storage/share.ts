import * as sys from 'native:sys'
import { AT_EMPTY_PATH, AT_FDCWD, AT_RECURSIVE, O_CREAT, O_EXCL, O_NOFOLLOW, O_PATH, O_WRONLY } from '../../native/ts/constants/fcntl.ts'
import {
  MNT_DETACH, MOUNT_ATTR_NODEV, MOUNT_ATTR_NOEXEC, MOUNT_ATTR_NOSUID, MOUNT_ATTR_RDONLY, MOVE_MOUNT_F_EMPTY_PATH, MS_BIND, MS_NODEV,
  MS_NOEXEC, MS_NOSUID, MS_PRIVATE, MS_RDONLY, MS_SHARED, MS_SLAVE, OPEN_TREE_CLOEXEC, OPEN_TREE_CLONE, UMOUNT_NOFOLLOW,
} from '../../native/ts/constants/mount.ts'
import { check, checked, E, isErrno } from '../../native/ts/errno.ts'
import { Fault } from '../../native/ts/fault.ts'
import { Fd, open } from '../../native/ts/fd.ts'
import { fstat, makeDirectories, makeDirectory, readText, removeDirectory, removeTree } from '../../native/ts/file.ts'
import { makeUserNamespace, mapMountIds } from '../../native/ts/user-namespace.ts'
import type { MountMappings } from '../spec/id-mappings.ts'
import { refuseForeign } from './foreign-files.ts'
import { isKernelFileSystem, kernelMountsBelow, mountsBelow } from './kernel-file-systems.ts'
import { mappingsOfOptions, mountMapped } from './id-mapped.ts'
import { mountAt, parseMount, type MountDescriptor } from './mount.ts'

/** Where the agent mounts the share in the guest. */
export const guestShareDir = '/run/kata-ts/share'

/** Mount points only, no data: a few thousand inodes are plenty, and bound what a bug could eat. */
const tmpfsOptions = 'mode=0755,size=1m,nr_inodes=64k'

const S_IFMT = 0o170000
const S_IFDIR = 0o040000

/** No container is called so: ids begin with a letter or digit. */
const bindsName = '.binds'

export interface BindOptions {
  /** Enforced on the host. */
  readonly: boolean
  /** Whether the mounts below a read-only one are read-only too (`rro`); otherwise they stay what they are, as with runc. */
  readonlyBelow?: boolean
  /** Whether mounts below the source come along. */
  recursive: boolean
  /** Whether mounts that the host makes below the source later come along too (mount propagation HostToContainer). */
  follow?: boolean
  /** Whose its files are, other than on disk. */
  idMappings?: MountMappings
}

/** A bind of the host, with the containers that have it. */
interface SharedBind {
  name: string
  users: Set<string>
}

/**
 * What the host shows the guest: a directory tree of mount points, and on them the containers' rootfs and volumes.
 *
 *   <state>/share        exported by virtiofsd; read-only at its top, so that no guest can plant a symlink or rename
 *     <container>/       a directory where the host will mount (CVE-2020-2026) or unmount (CVE-2020-2024)
 *       rootfs/          the container's rootfs
 *     .binds/<n>         a bind, directory or file, of all containers that have the same: each mount is a file system of
 *                        its own in the guest, and two would be two page caches over one file
 *   <state>/share.host   the same tmpfs, writable and private: where directories are made and mounts are prepared
 *
 * A mount is made under share.host, where nobody sees it, gets its attributes there, and is then moved under share
 * in one step. share is a shared mount: virtiofsd lives in a mount namespace of its own and receives what comes later.
 *
 * Must run in the shim's private mount namespace, and be open before virtiofsd starts. Every method is synchronous.
 */
export class Share {
  /** Exported; virtiofsd's source. */
  readonly dir: string
  readonly #hostDir: string
  readonly #containers = new Set<string>()
  /** By source and options. */
  readonly #binds = new Map<string, SharedBind>()
  /** Of the next bind: no name comes twice, as the guest may remember the first. */
  #nextBind = 0
  /** What `dir` is called where the agent runs. */
  readonly #seenAt: string
  /** On every mount that is shared. */
  readonly #attributes: number
  #open = true

  private constructor(stateDir: string, readonly withGuest: boolean) {
    this.dir = `${stateDir}/share`
    this.#hostDir = `${stateDir}/share.host`
    this.#seenAt = withGuest ? guestShareDir : this.dir
    // A device node in a guest means the guest's device, and its setuid bit the guest's root: on the host nothing of the
    // share is ever either (CVE-2020-35517). Containers of the host itself need both.
    this.#attributes = withGuest ? MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV : 0
  }

  /**
   * Makes the share below `stateDir`. `withGuest`: false where the agent runs on the host (hypervisor `none`); paths are
   * then the host's. Throws SysError; nothing is left then.
   */
  static open(stateDir: string, { withGuest = true } = {}): Share {
    const share = new Share(stateDir, withGuest)
    try {
      makeDirectories(share.#hostDir, 0o700)
      makeDirectories(share.dir, 0o700)
      check('mount', `tmpfs on ${share.#hostDir}`,
        sys.mount('kata-ts', share.#hostDir, 'tmpfs', MS_NOSUID | MS_NODEV | MS_NOEXEC, tmpfsOptions))
      setMount(AT_FDCWD, share.#hostDir, 0, 0, MS_PRIVATE)
      makeDirectory(share.#host(bindsName))
      check('mount', `${share.#hostDir} on ${share.dir}`, sys.mount(share.#hostDir, share.dir, null, MS_BIND, null))
      setMount(AT_FDCWD, share.dir, 0, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, MS_SHARED)
      return share
    } catch (error) {
      share.close()
      throw error
    }
  }

  /**
   * Mounts a container's rootfs; gives its path as the agent sees it. `readonly`: enforced on the host.
   * Throws Fault or SysError; nothing of it is left then.
   */
  addRootfs(containerId: string, mounts: readonly MountDescriptor[], { readonly = false } = {}): string {
    if (mounts.length === 0) throw new Fault(`container ${containerId} has no rootfs mounts`, { fix: 'the snapshotter must give at least one mount' })
    // All are read before the first is made: a refused one must not leave its predecessors behind.
    const calls = mounts.map(mount => ({ call: parseMount(mount), mappings: mappingsOfOptions(mount.options) }))
    this.#prepare(containerId)
    const name = `${containerId}/rootfs`
    makeDirectory(this.#host(name))
    let made = 0
    try {
      // mount.All of containerd: one upon the other, in order.
      for (const { call, mappings } of calls) {
        if (mappings) mountMapped(call, mappings, this.#host(name), this.#host(`${containerId}/layers`))
        else mountAt(call, this.#host(name))
        made++
      }
      const last = calls.at(-1)?.call
      const readonlyBind = last !== undefined && (last.flags & MS_BIND) !== 0 && (last.flags & MS_RDONLY) !== 0
      this.#publish(name, { readonly: readonly || readonlyBind, recursive: false })
    } catch (error) {
      while (made-- > 0) sys.umount2(this.#host(name), MNT_DETACH | UMOUNT_NOFOLLOW)
      removeDirectory(this.#host(name))
      throw error
    }
    // What the last one was stacked upon stays reachable through it; its own mount point is not needed any more.
    for (let below = made - 1; below > 0; below--) sys.umount2(this.#host(name), MNT_DETACH | UMOUNT_NOFOLLOW)
    return `${this.#seenAt}/${name}`
  }

  /** Binds a file or directory of the host; gives its path as the agent sees it. Throws Fault or SysError; nothing of it is left then. */
  addBind(containerId: string, source: string, options: BindOptions): string {
    requireIdentifier(containerId)
    using from = openSource(source)
    if (this.withGuest) refuseForeign(from)
    const { devMajor, devMinor, ino, mountId } = fstat(from.number, source)
    const key = JSON.stringify([devMajor, devMinor, ino, mountId, options.readonly, options.readonlyBelow ?? false, options.recursive, options.follow ?? false, options.idMappings])
    const bind = this.#binds.get(key) ?? { name: this.#makeBind(from, options), users: new Set() }
    this.#binds.set(key, bind)
    bind.users.add(containerId)
    return `${this.#seenAt}/${bind.name}`
  }

  /** Whether mounts of the host lie below a bind that `addBind` gave this path: file systems of their own for the guest. */
  hasMountsBelow(path: string): boolean {
    const name = path.slice(this.#seenAt.length)
    return this.withGuest && mountsBelow(readText('/proc/self/mountinfo'), `${this.dir}${name}`).length > 1
  }

  /** Makes the bind of what `from` (borrowed) is; gives its name in the share. */
  #makeBind(from: Fd, options: BindOptions): string {
    const source = from.what
    using tree = new Fd(check('open_tree', source, sys.openTree(from.number, '',
      OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | (options.recursive ? AT_RECURSIVE : 0))), `tree of ${source}`)
    if (options.idMappings) {
      using namespace = makeUserNamespace(options.idMappings)
      mapMountIds(tree, namespace, options.idMappings.recursive)
    }
    const name = `${bindsName}/${this.#nextBind++}`
    makePoint(this.#host(name), (fstat(from.number, source).mode & S_IFMT) === S_IFDIR)
    try {
      // Cut off from the source's peer group, unless what the host mounts there later is meant to be the guest's business.
      setMount(tree.number, '', AT_EMPTY_PATH | AT_RECURSIVE, 0, options.follow ? MS_SLAVE : MS_PRIVATE)
      check('move_mount', `${source} to ${name}`, sys.moveMount(tree.number, '', AT_FDCWD, this.#host(name), MOVE_MOUNT_F_EMPTY_PATH))
      if (options.recursive) hideKernelFileSystems(this.#host(name), source)
      this.#publish(name, options)
    } catch (error) {
      sys.umount2(this.#host(name), MNT_DETACH | UMOUNT_NOFOLLOW)
      removeTree(this.#host(name))
      throw error
    }
    return name
  }

  /** Unmounts everything that is the container's alone. Idempotent. Throws SysError when something stays. */
  remove(containerId: string): void {
    requireIdentifier(containerId)
    for (const [key, bind] of [...this.#binds].reverse()) {
      if (!bind.users.has(containerId)) continue
      if (bind.users.size === 1) {
        unmount(`${this.dir}/${bind.name}`)
        removeTree(this.#host(bind.name))
        this.#binds.delete(key)
      }
      bind.users.delete(containerId)
    }
    if (!this.#containers.has(containerId)) return
    unmount(`${this.dir}/${containerId}/rootfs`)
    removeTree(this.#host(containerId))
    this.#containers.delete(containerId)
  }

  /** Removes every container and the share itself. Idempotent. Throws SysError when something stays. */
  close(): void {
    if (!this.#open) return
    const users = [...this.#binds.values()].flatMap(bind => [...bind.users])
    for (const containerId of new Set([...this.#containers, ...users])) this.remove(containerId)
    removeDirectory(this.#host(bindsName))
    unmount(this.dir)
    unmount(this.#hostDir)
    removeDirectory(this.dir)
    removeDirectory(this.#hostDir)
    this.#open = false
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #host(name: string): string {
    return `${this.#hostDir}/${name}`
  }

  #prepare(containerId: string): void {
    requireIdentifier(containerId)
    if (this.#containers.has(containerId)) return
    makeDirectory(this.#host(containerId))
    this.#containers.add(containerId)
  }

  /** Gives the prepared mount its attributes, then moves it to where the guest sees it. */
  #publish(name: string, { readonly, readonlyBelow = false, recursive, follow = false }: BindOptions): void {
    const attributes = this.#attributes | (readonly && readonlyBelow ? MOUNT_ATTR_RDONLY : 0)
    setMount(AT_FDCWD, this.#host(name), recursive ? AT_RECURSIVE : 0, attributes, follow ? 0 : MS_PRIVATE)
    if (readonly) setMount(AT_FDCWD, this.#host(name), 0, MOUNT_ATTR_RDONLY, 0)
    check('move_mount', name, sys.moveMount(AT_FDCWD, this.#host(name), AT_FDCWD, `${this.dir}/${name}`, 0))
  }
}

/** Where a file or directory is to be mounted. */
function makePoint(path: string, directory: boolean): void {
  if (directory) makeDirectory(path)
  else open(path, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW, 0o600).close()
}

function setMount(dirfd: number, path: string, flags: number, set: number, propagation: number): void {
  check('mount_setattr', path, sys.mountSetattr(dirfd, path, flags, { set, clear: 0, propagation }))
}

/** Not mounted (EINVAL) or not there is what the caller wants. */
function unmount(path: string): void {
  const result = sys.umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW)
  if (result === -E.EINVAL || result === -E.ENOENT) return
  check('umount', path, result)
}

/** The source of a bind. Symlinks of the host are followed, as mount(8) does; what they lead to is judged, not their name. */
function openSource(source: string): Fd {
  let from: Fd
  try {
    from = open(source, O_PATH)
  } catch (cause) {
    if (isErrno(cause, E.ENOENT, E.ENOTDIR)) throw new Fault(`bind mount source ${source} does not exist`, { cause })
    throw cause
  }
  const where = checked('statfs', source, sys.statfs(`/proc/self/fd/${from.number}`))
  if (!isKernelFileSystem(where.type)) return from
  from.close()
  throw new Fault(`bind mount of ${source} would show the host's kernel to the guest`, { fix: "mount the guest's own /proc or /sys" })
}

/** Takes /proc, /sys and their like out of a tree that is prepared at `top`, and believes only what mountinfo then shows. */
function hideKernelFileSystems(top: string, source: string): void {
  for (const { point } of kernelMountsBelow(readText('/proc/self/mountinfo'), top).reverse()) sys.umount2(point, MNT_DETACH | UMOUNT_NOFOLLOW)
  const [left] = kernelMountsBelow(readText('/proc/self/mountinfo'), top)
  if (left) throw new Fault(`bind mount of ${source} would show the host's ${left.type} (${left.point.slice(top.length)}) to the guest`)
}

function requireIdentifier(containerId: string): void {
  if (!/^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(containerId)) throw new TypeError(`${JSON.stringify(containerId)} is no container id`)
}
