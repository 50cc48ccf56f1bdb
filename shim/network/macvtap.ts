import * as sys from 'native:sys'
import { AT_FDCWD, O_NONBLOCK, O_RDWR } from '../../native/ts/constants/fcntl.ts'
import { MNT_DETACH, MS_NOEXEC, MS_NOSUID } from '../../native/ts/constants/mount.ts'
import { S_IFCHR } from '../../native/ts/constants/stat.ts'
import { check, E } from '../../native/ts/errno.ts'
import { Fault } from '../../native/ts/fault.ts'
import { type Fd, open } from '../../native/ts/fd.ts'
import { makeDirectory, readText, removeDirectory } from '../../native/ts/file.ts'
import { linkDelete, type LinkInfo, linkSet, macvtapAdd } from '../../protocol/netlink/link.ts'
import type { NetlinkSession } from '../../protocol/netlink/session.ts'
import { type ConnectPlace, indexOf, isRefusal, silence } from './redirect.ts'

/** Of the macvtap interface on the interface `lowerIndex`: known before it is made, so that it can be journaled. */
export function macvtapName(lowerIndex: number): string {
  return `kata-m${lowerIndex}`
}

/**
 * For hosts without tc: a macvtap interface takes over all packets of `link` (mode passthru), both ways and with its address. The
 * caller owns its descriptor, which serves as a tap's does. It outlives the descriptor: see removeMacvtap. Throws Fault, SysError
 * or NetlinkRefusal.
 */
export function connectByMacvtap(session: NetlinkSession, link: LinkInfo, { netns, journal, stateDir }: ConnectPlace): Fd {
  const name = macvtapName(link.index)
  journal.record({ kind: 'macvtap', path: netns.path, inode: netns.inode, index: link.index, name })
  session.change({ what: `macvtap on ${link.name}`, message: sequence => macvtapAdd(name, link.index, sequence) })
  const index = indexOf(session, name)
  silence(name)
  session.change({ what: `${name} up`, message: sequence => linkSet(index, { up: true }, sequence) })
  return openDevice(name, index, `${stateDir}/macvtap`)
}

/** Removes the interface; nothing where it is gone. Throws NetlinkRefusal. */
export function removeMacvtap(session: NetlinkSession, lowerIndex: number): void {
  try {
    const index = indexOf(session, macvtapName(lowerIndex))
    session.change({ what: `removal of ${macvtapName(lowerIndex)}`, message: sequence => linkDelete(index, sequence) })
  } catch (error) {
    if (!isRefusal(error, E.ENODEV)) throw error
  }
}

/**
 * Its device node. The one in /dev, if there is one, is named by the interface's index, which other namespaces use too: so the
 * number is read from the namespace's own sysfs, and the node made where devices are allowed (state directories are on nodev).
 */
function openDevice(name: string, index: number, directory: string): Fd {
  makeDirectory(directory, 0o700)
  try {
    const device = mounted('sysfs', directory, () => readText(`${directory}/class/net/${name}/tap${index}/dev`))
    const [major, minor] = device.trim().split(':').map(Number)
    if (major === undefined || minor === undefined) throw new Fault(`${name} has the device ${JSON.stringify(device)}; expected MAJOR:MINOR`)
    return mounted('tmpfs', directory, () => {
      const path = `${directory}/tap`
      check('mknod', path, sys.mknodat(AT_FDCWD, path, S_IFCHR | 0o600, major, minor))
      return open(path, O_RDWR | O_NONBLOCK)
    })
  } finally {
    removeDirectory(directory)
  }
}

/** What `work` gives, with the file system on `directory` meanwhile: in the shim's own mount namespace. */
function mounted<T>(type: string, directory: string, work: () => T): T {
  check('mount', `${type} on ${directory}`, sys.mount(type, directory, type, MS_NOSUID | MS_NOEXEC, null))
  try {
    return work()
  } finally {
    sys.umount2(directory, MNT_DETACH)
  }
}
