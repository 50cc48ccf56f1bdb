import * as sys from 'native:sys'
import { exitText } from '../../../native/ts/child.ts'
import { sleep } from '../../../native/ts/clock.ts'
import { MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_REC, MS_SLAVE } from '../../../native/ts/constants/mount.ts'
import { O_DIRECTORY, O_PATH } from '../../../native/ts/constants/fcntl.ts'
import { CLONE_NEWNS, CLONE_NEWPID } from '../../../native/ts/constants/sched.ts'
import { AF_UNIX, SOCK_NONBLOCK, SOCK_STREAM } from '../../../native/ts/constants/socket.ts'
import { check, checked, E, isErrno } from '../../../native/ts/errno.ts'
import { Fault } from '../../../native/ts/fault.ts'
import { Fd, open } from '../../../native/ts/fd.ts'
import { Owner } from '../../../native/ts/owner.ts'
import type { Config } from '../../config/schema.ts'
import type { VmSize } from '../../resources/size.ts'
import { SocketDirectory } from '../../vsock/socket-directory.ts'
import { Daemon } from '../daemon.ts'
import type { Attachment, Hypervisor, HypervisorSandbox, VmmExit } from '../hypervisor.ts'

const streamsSocket = 'streams.sock'

/** The agent listens for streams within milliseconds of its start. */
const listenLimitMs = 5_000
const pollMs = 1

/**
 * No VM: the agent runs on the host, and its containers are only namespaces. For pods that are trusted as runc's are,
 * and for tests. The agent is the init of a pid namespace, so whatever runs below it ends with it, as with a VM.
 *
 *   shim ─clone3─▶ agent (own pid and mount namespace) ─▶ control: descriptor 3, a socket pair
 *                                                      └▶ streams: <state>/streams.sock
 */
export class NoVm implements Hypervisor {
  readonly ownKernel = false
  #agent: Daemon | undefined
  #control: Fd | undefined
  #sockets: SocketDirectory | undefined
  #owner = new Owner()
  #stopping: Promise<void> | undefined
  #ended!: (exit: VmmExit) => void
  readonly #exited: Promise<VmmExit>

  constructor(private readonly config: Config, private readonly sandbox: HypervisorSandbox) {
    this.#exited = new Promise(resolve => { this.#ended = resolve })
  }

  get pid(): number {
    return this.#agent?.pid ?? 0
  }

  /** Without a VM there is nothing that would take a NIC. */
  async launch(): Promise<void> {
    if (this.#agent || this.#stopping) throw new Fault('an agent is launched once')
    try {
      this.#launch()
    } catch (error) {
      await this.stop()
      throw error
    }
  }

  async acceptAgent(): Promise<Fd> {
    if (!this.#control?.open) throw new Fault(`the agent cannot be reached: ${this.diagnosis()}`)
    return new Fd(this.#control.release(), this.#control.what)
  }

  /** Every port is the stream port: there is no other. */
  async connect(): Promise<Fd> {
    for (let waitedMs = 0; ; waitedMs += pollMs) {
      if (!this.#sockets || !this.#agent || this.#agent.exit) throw new Fault(`the agent cannot be reached: ${this.diagnosis()}`)
      try {
        return this.#sockets.connect(streamsSocket, 'stream connection')
      } catch (error) {
        if (!isErrno(error, E.ENOENT, E.ECONNREFUSED, E.EAGAIN) || waitedMs >= listenLimitMs) throw error
      }
      await sleep(pollMs)
    }
  }

  /** The machine is the host's: the containers' limits are all there is to change. */
  async resize(size: VmSize): Promise<VmSize> {
    return size
  }

  async attach(): Promise<Attachment> {
    throw new Fault('a sandbox without a VM has no slots for devices', { fix: "name the host's own device in the container's spec" })
  }

  async pause(): Promise<void> {
    throw new Fault('a sandbox without a VM cannot be paused as a whole', { fix: 'pause its containers' })
  }

  async resume(): Promise<void> {
    throw new Fault('a sandbox without a VM cannot be paused as a whole', { fix: 'resume its containers' })
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#owner.release()
    return this.#stopping
  }

  wait(): Promise<VmmExit> {
    return this.#exited
  }

  diagnosis(): string {
    if (!this.#agent) return 'the agent was not started'
    const words = this.#agent.lastWords(8)
    return words === '' ? this.#agent.status() : `${this.#agent.status()}; it said: ${words}`
  }

  #launch(): void {
    const { stateDir, journal, log, timeline } = this.sandbox
    const sockets = this.#sockets = this.#owner.own('socket directory', new SocketDirectory(stateDir))
    this.#owner.defer('streams socket', () => sockets.remove(streamsSocket))
    const [ours, theirs] = checked('socketpair', 'control', sys.socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0))
    this.#control = this.#owner.own('control connection', new Fd(ours, 'control connection'))
    using control = new Fd(theirs, "control connection (agent's end)")
    // Named through a descriptor, because the path of a state directory may be too long for a socket's name.
    using directory = open(stateDir, O_PATH | O_DIRECTORY)
    const agent = this.#agent = new Daemon({
      program: { name: this.config.agent.path, key: 'agent.path', role: 'agent' },
      args: ['--control-fd', '3', '--streams-path', `/proc/self/fd/4/${streamsSocket}`],
      pass: [control.number, directory.number],
      namespaces: CLONE_NEWNS | CLONE_NEWPID,
      prepare: enterSandbox,
      journal,
    })
    this.#owner.defer('agent', () => agent.stop())
    void agent.exited.then(exit => this.#ended({ ...exit, text: `${agent.name} ${exitText(exit)}` }), () => {})
    timeline.mark('vmm')
    log.warn('no VM: the containers of this sandbox share the kernel of the host', { hypervisor: 'none', pid: agent.pid })
  }
}

/** In the agent's process, before its execve: mounts of the shim still arrive, its own never leave; /proc is that of its pid namespace. */
function enterSandbox(): void {
  check('mount', '/ as slave', sys.mount(null, '/', null, MS_REC | MS_SLAVE, null))
  check('mount', 'proc on /proc', sys.mount('proc', '/proc', 'proc', MS_NOSUID | MS_NODEV | MS_NOEXEC, null))
}
