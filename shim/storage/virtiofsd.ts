import { CLONE_NEWPID } from '../../native/ts/constants/sched.ts'
import { Fd } from '../../native/ts/fd.ts'
import type { Config } from '../config/schema.ts'
import { Daemon } from '../hypervisor/daemon.ts'
import type { Journal } from '../journal.ts'
import { SocketDirectory } from '../vsock/socket-directory.ts'

const socketName = 'fs.sock'

export interface VirtiofsdOptions {
  share: Config['share']
  /** Directory that the guest sees. */
  source: string
  /** Private directory for the socket's short life. */
  stateDir: string
  journal?: Journal | undefined
}

/**
 * The virtio-fs daemon of one VM. It sandboxes itself (mount, pid and network namespaces, pivot_root into the share,
 * seccomp, few capabilities); we give it a pid namespace around that, so that killing it kills its worker too.
 */
export class Virtiofsd {
  readonly daemon: Daemon
  /** A connection to it, for the VMM. */
  readonly device: Fd

  /** Starts it. Throws Fault or SysError; nothing is left then. */
  constructor(options: VirtiofsdOptions) {
    // Listening here and handing the listener over, the VMM's end is connected before the daemon even runs: no polling.
    using directory = new SocketDirectory(options.stateDir)
    using listener = directory.listen(socketName)
    using connected = directory.connect(socketName, 'connection to virtiofsd')
    directory.remove(socketName)
    this.daemon = new Daemon({
      program: { name: options.share.virtiofsd, key: 'share.virtiofsd' },
      args: virtiofsdArguments(options),
      pass: [listener.number],
      namespaces: CLONE_NEWPID,
      journal: options.journal,
    })
    this.device = new Fd(connected.release(), connected.what)
  }

  /** Idempotent. */
  async stop(): Promise<void> {
    this.device.close()
    await this.daemon.stop()
  }
}

/**
 * What the guest may keep. virtiofsd's own `auto` has it drop a file's pages at each open(2), so that every exec of a
 * program reads it anew. `always` keeps them; with a timeout of one second for names and attributes the guest still
 * notices within that second what the host changed (FUSE_AUTO_INVAL_DATA: a new mtime or size drops the pages).
 */
const cachePolicies: Readonly<Record<Config['share']['cache'], readonly string[]>> = {
  none: ['cache=none'],
  auto: ['cache=always', 'timeout=1'],
  always: ['cache=always'],
}

/** Arguments of QEMU's virtiofsd; descriptor 3 is its listener. */
export function virtiofsdArguments({ share, source }: Pick<VirtiofsdOptions, 'share' | 'source'>): string[] {
  const options = [
    `source=${source}`,
    ...cachePolicies[share.cache],
    // Each mount of the share is a file system of its own in the guest: without it inode numbers of two would collide.
    'announce_submounts',
    share.xattr ? 'xattr' : 'no_xattr',
    'sandbox=namespace',
    'log_level=warn',
  ]
  return ['--fd=3', ...options.flatMap(option => ['-o', option])]
}
