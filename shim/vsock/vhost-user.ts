import * as sys from 'native:sys'
import { sleep } from '../../native/ts/clock.ts'
import { AT_FDCWD, AT_SYMLINK_NOFOLLOW } from '../../native/ts/constants/fcntl.ts'
import { check, E, isErrno } from '../../native/ts/errno.ts'
import { Fault } from '../../native/ts/fault.ts'
import type { Fd } from '../../native/ts/fd.ts'
import { makeDirectory, removeTree } from '../../native/ts/file.ts'
import { accept } from '../../native/ts/socket.ts'
import { exitText } from '../../native/ts/child.ts'
import type { Confinement } from '../hypervisor/confinement/confine.ts'
import { socketDaemonFilter } from '../hypervisor/confinement/filter.ts'
import { programFiles } from '../hypervisor/confinement/program-files.ts'
import type { RootPart } from '../hypervisor/confinement/root.ts'
import { Daemon, findProgram } from '../hypervisor/daemon.ts'
import type { Privileges } from '../hypervisor/privileges.ts'
import { connectHybrid } from './hybrid.ts'
import { SocketDirectory } from './socket-directory.ts'
import { controlPort, type GuestVsock, type VsockDevice, type VsockOptions } from './vsock.ts'

/** Relative to the socket directory, which is the daemon's working directory. */
const vhostSocket = 'vhost-vsock.sock'
const hybridSocket = 'vsock.sock'
const agentSocket = `${hybridSocket}_${controlPort}`

/**
 * Credit that the daemon gives a guest's connection, in bytes. Linux 6.12 sends payloads above 32,404 bytes as
 * fragments, of which the daemon (0.3.0) reads only the first two: every connection of the VM then stalls for ever.
 * Less credit than that, and no guest can send one.
 */
const txBufferBytes = 32_404

/** One daemon serves one VM, so every guest may have the same CID. */
const guestCid = 3

/** The daemon listens within a few milliseconds; a loaded machine gets a hundred times that. */
const startLimitMs = 5_000
const pollMs = 1

/** vsock by the daemon vhost-device-vsock, on hosts without /dev/vhost-vsock. */
export class VhostUserVsock implements GuestVsock {
  #daemon: Daemon | undefined
  #directory: SocketDirectory | undefined
  #listener: Fd | undefined
  #device: Fd | undefined

  constructor(private readonly program: string, private readonly options: VsockOptions) {}

  get daemon(): Daemon | undefined {
    return this.#daemon
  }

  async listen(): Promise<VsockDevice> {
    const { stateDir, confined = false, journal } = this.options
    const privileges = this.options.privileges?.()
    const path = `${stateDir}/vsock`
    removeTree(path)
    makeDirectory(path, 0o700)
    const directory = this.#directory = new SocketDirectory(path)
    // Before the daemon and the VMM: the guest may dial as soon as it runs.
    this.#listener = directory.listen(agentSocket)
    if (privileges) for (const owned of [path, `${path}/${agentSocket}`]) give(owned, privileges)
    this.#daemon = new Daemon({
      program: { name: this.program, key: 'vsock.daemon', role: 'vsock' },
      args: ['--vm', `guest-cid=${guestCid},socket=${vhostSocket},uds-path=${hybridSocket},tx-buffer-size=${txBufferBytes}`],
      cwd: confined ? socketsAt : path,
      ...(privileges && { privileges }),
      cgroups: this.options.cgroups?.() ?? [],
      confinement: confined ? confinementOf(this.program, path, privileges) : undefined,
      journal,
    })
    this.#device = await this.#dialDaemon(directory, this.#daemon)
    return { kind: 'vhost-user', fd: this.#device.number, controlPort }
  }

  async acceptAgent(): Promise<Fd> {
    if (!this.#listener?.open) throw new Fault('vsock: accept without a listener')
    for (;;) {
      const connection = await accept(this.#listener)
      if (this.#isDaemon(connection)) {
        this.#closeListener()
        return connection
      }
      connection.close()
    }
  }

  async connect(port: number): Promise<Fd> {
    if (!this.#directory) throw new Fault('vsock: connect before the VM was launched')
    const socket = this.#directory.connect(hybridSocket, `guest port ${port}`)
    if (this.#isDaemon(socket)) return connectHybrid(socket, port)
    socket.close()
    throw new Fault(`vsock: ${this.#directory.path}/${hybridSocket} is not the daemon's`)
  }

  async close(): Promise<void> {
    this.#closeListener()
    this.#device?.close()
    await this.#daemon?.stop()
    this.#directory?.close()
    this.#directory = undefined
    removeTree(`${this.options.stateDir}/vsock`)
  }

  /**
   * Whether the daemon is at the other end. Its directory is its own: a daemon that was taken over could put a link to
   * another socket of the host there, for root to talk to.
   */
  #isDaemon(socket: Fd): boolean {
    const peer = sys.getPeerCred(socket.number)
    return typeof peer !== 'number' && peer.pid === this.#daemon?.pid
  }

  /** Connects as soon as the daemon listens: what is passed to the VMM is then a connection and no path it could miss. */
  async #dialDaemon(directory: SocketDirectory, daemon: Daemon): Promise<Fd> {
    for (let waitedMs = 0; ; waitedMs += pollMs) {
      if (daemon.exit) throw new Fault(`${daemon.name} ${exitText(daemon.exit)}`)
      try {
        const socket = directory.connect(vhostSocket, `connection to ${daemon.name}`)
        if (this.#isDaemon(socket)) return socket
        socket.close()
        throw new Fault(`vsock: ${directory.path}/${vhostSocket} is not the daemon's`)
      } catch (error) {
        // Not bound yet, or bound and not listening yet.
        if (!isErrno(error, E.ENOENT, E.ECONNREFUSED)) throw error
        if (waitedMs >= startLimitMs) throw new Fault(`${daemon.name} does not listen after ${startLimitMs} ms`, { cause: error })
      }
      await sleep(pollMs)
    }
  }

  #closeListener(): void {
    if (!this.#listener?.open) return
    sys.unwatch(this.#listener.number)
    this.#listener.close()
    this.#directory?.remove(agentSocket)
  }
}

/** Where a confined daemon finds its socket directory, the one thing that it may write. */
const socketsAt = '/sockets'
/** A descriptor for each stream of the guest's containers. */
const openFiles = 4096

function confinementOf(name: string, directory: string, privileges: Privileges | undefined): Confinement {
  const program = programFiles(findProgram({ name, key: 'vsock.daemon' }))
  const parts: RootPart[] = [...program.map((path): RootPart => ({ at: path, from: path, use: 'execute' })), { at: socketsAt, from: directory, use: 'write' }]
  return { root: { parts }, privileges, openFiles, filter: socketDaemonFilter() }
}

/** Makes the daemon's user the owner. Throws SysError. */
function give(path: string, { uid, gid }: Privileges): void {
  check('chown', path, sys.fchownat(AT_FDCWD, path, uid, gid, AT_SYMLINK_NOFOLLOW))
}
