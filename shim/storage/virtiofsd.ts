import { CLONE_NEWPID } from '../../native/ts/constants/sched.ts'
import { Fd } from '../../native/ts/fd.ts'
import type { Config } from '../config/schema.ts'
import type { Confinement } from '../hypervisor/confinement/confine.ts'
import { programFiles } from '../hypervisor/confinement/program-files.ts'
import type { RootPart } from '../hypervisor/confinement/root.ts'
import { Daemon, findProgram } from '../hypervisor/daemon.ts'
import type { Journal } from '../journal.ts'
import { SocketDirectory } from '../vsock/socket-directory.ts'

const socketName = 'fs.sock'

export interface VirtiofsdOptions {
  share: Config['share']
  /** Directory that the guest sees. */
  source: string
  /** Private directory for the socket's short life. */
  stateDir: string
  /** In namespaces and a root directory of its own, around those that it makes itself. */
  confined: boolean
  /** Directories of cgroupfs that it belongs to. */
  cgroups: readonly string[]
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
      program: { name: options.share.virtiofsd, key: 'share.virtiofsd', role: 'virtiofsd' },
      args: virtiofsdArguments(options.confined ? { ...options, source: shareAt } : options),
      pass: [listener.number],
      namespaces: CLONE_NEWPID,
      cgroups: options.cgroups,
      confinement: options.confined ? confinementOf(options) : undefined,
      secureBits: SECBIT_NO_SETUID_FIXUP,
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

/** Where a confined daemon finds the share. */
const shareAt = '/share'

/**
 * What its worker keeps by its own choice, to act for each user of the guest inside the share, and what its parent needs to
 * shut the worker in there: a process that waits for its end and reads nothing from the guest.
 */
const capabilities = [
  'CAP_CHOWN', 'CAP_DAC_OVERRIDE', 'CAP_FOWNER', 'CAP_FSETID', 'CAP_SETGID', 'CAP_SETUID', 'CAP_MKNOD', 'CAP_SETFCAP',
  'CAP_SYS_ADMIN', 'CAP_SETPCAP',
]

/** One for each file that the guest knows. Both daemons ask for so many themselves, and end where they may not. */
const openFiles = 1_000_000

function confinementOf({ share, source }: VirtiofsdOptions): Confinement {
  const program = programFiles(findProgram({ name: share.virtiofsd, key: 'share.virtiofsd' }))
  const parts: RootPart[] = [...program.map((path): RootPart => ({ at: path, from: path, use: 'execute' })), { at: shareAt, from: source, use: 'share' }]
  return { root: { parts, proc: true }, privileges: { uid: 0, gid: 0, groups: [], capabilities }, openFiles }
}

/**
 * include/uapi/linux/securebits.h. The daemon makes files as the user who asks for them, and the kernel would take its
 * capabilities for that moment. The guest's kernel has judged already who may do what: root of a user namespace, who is no root
 * to the host, may make files in directories of others (CAP_DAC_OVERRIDE). Nothing is given away: the daemon has these
 * capabilities whenever it wants.
 */
const SECBIT_NO_SETUID_FIXUP = 1 << 2

/** The two daemons there are, told apart by their path: the C one of QEMU up to 7.2, and the Rust crate. */
type Implementation = 'qemu' | 'crate'

function implementationOf(program: string): Implementation {
  return program.includes('/qemu/') ? 'qemu' : 'crate'
}

/**
 * What the guest may keep. The daemons' own `auto` has it drop a file's pages at each open(2), so that every exec of a
 * program reads it anew: 19 of an exec's 35 requests. `always` keeps them; where names and attributes are good for one
 * second only, the guest still notices within that second what the host changed (FUSE_AUTO_INVAL_DATA: a new mtime or
 * size drops the pages).
 */
const cacheArguments: Readonly<Record<Implementation, Readonly<Record<Config['share']['cache'], readonly string[]>>>> = {
  // Its `always` means a day: where the host may change files, only its own `auto` is right.
  crate: { none: ['--cache=never'], auto: ['--cache=auto'], always: ['--cache=always'] },
  qemu: { none: ['-o', 'cache=none'], auto: ['-o', 'cache=always', '-o', 'timeout=1'], always: ['-o', 'cache=always'] },
}

/**
 * Extended attributes that a guest may read and set: what a container's own root may on a host, its user.* and file capabilities. All
 * others are words of the host about its files (security.selinux, trusted.overlay.*), whatever its kernel lets the daemon do.
 * Both daemons take the same rules: type, scope, client's and server's prefix; the first that fits counts.
 */
const xattrRules = ':ok:all:user.:user.::ok:all:security.capability:security.capability::unsupported:all:::'

/** The daemon's arguments; descriptor 3 is its listener. Each mount of the share is announced as a file system of its own: inode numbers of two would collide otherwise. */
export function virtiofsdArguments({ share, source }: Pick<VirtiofsdOptions, 'share' | 'source'>): string[] {
  const implementation = implementationOf(share.virtiofsd)
  const cache = cacheArguments[implementation][share.cache]
  if (implementation === 'qemu') {
    const options = [`source=${source}`, 'announce_submounts', ...(share.xattr ? ['xattr', `xattrmap=${xattrRules}`] : ['no_xattr']), 'sandbox=namespace', 'log_level=warn']
    return ['--fd=3', ...options.flatMap(option => ['-o', option]), ...cache]
  }
  return [
    '--fd=3', `--shared-dir=${source}`, '--announce-submounts', '--sandbox=namespace', '--seccomp=kill', '--log-level=warn',
    // Without it the guest asks for a file's capabilities before each write(2).
    '--killpriv-v2',
    ...(share.xattr ? ['--xattr', `--xattrmap=${xattrRules}`] : []), ...cache,
  ]
}
