import { errnoName } from '../../native/ts/errno.ts'
import { RtNetlink } from '../../native/ts/rtnetlink.ts'
import { NetlinkSession } from '../../protocol/netlink/session.ts'
import { removeMacvtap } from './macvtap.ts'
import { Netns } from './netns.ts'
import { removeRedirect } from './redirect.ts'

/** An interface of a pod, and how it was connected to the VM. */
interface ConnectedLink {
  link: { index: number; name: string }
  model: 'tc' | 'macvtap'
}

/** Takes back what connects the interfaces to a VM; what is gone already is no failure. Throws NetlinkRefusal or SysError. */
export function disconnect(netns: Netns, connected: readonly ConnectedLink[]): void {
  netns.run(() => {
    using socket = new RtNetlink()
    const session = new NetlinkSession(socket, errnoName)
    for (const { link, model } of connected) {
      if (model === 'tc') removeRedirect(session, link)
      else removeMacvtap(session, link.index)
    }
  })
}

/** For `delete` after a killed shim: the same for what its journal names. Nothing where the namespace is gone. */
export function removeLeft({ kind, path, inode, index, name }: { kind: 'redirect' | 'macvtap'; path: string; inode: number; index: number; name: string }): void {
  let netns: Netns
  try {
    netns = Netns.open(path)
  } catch {
    // Removed, or replaced by something else: what was in it went with it.
    return
  }
  using opened = netns
  if (opened.inode === inode) disconnect(opened, [{ link: { index, name }, model: kind === 'redirect' ? 'tc' : 'macvtap' }])
}
