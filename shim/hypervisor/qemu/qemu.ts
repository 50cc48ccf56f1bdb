import * as sys from 'native:sys'
import { exitText, type Exit } from '../../../native/ts/child.ts'
import { within } from '../../../native/ts/clock.ts'
import { AF_UNIX, SOCK_NONBLOCK, SOCK_STREAM } from '../../../native/ts/constants/socket.ts'
import { CLONE_NEWIPC, CLONE_NEWNET } from '../../../native/ts/constants/sched.ts'
import { checked } from '../../../native/ts/errno.ts'
import { Fault, story } from '../../../native/ts/fault.ts'
import { Fd } from '../../../native/ts/fd.ts'
import { readText } from '../../../native/ts/file.ts'
import { Owner } from '../../../native/ts/owner.ts'
import type { Config } from '../../config/schema.ts'
import { roomOf, type VmRoom, type VmSize } from '../../resources/size.ts'
import { Virtiofsd } from '../../storage/virtiofsd.ts'
import type { GuestVsock, VsockDevice } from '../../vsock/vsock.ts'
import { chooseAccelerator, type Accelerator } from '../accelerator.ts'
import { consoleStory, withoutNoise } from '../console-story.ts'
import { Daemon } from '../daemon.ts'
import type { DaemonGroups } from '../daemon-groups.ts'
import type { Attachment, Device, Hypervisor, HypervisorSandbox, Nic, VmmExit } from '../hypervisor.ts'
import { lend } from '../lend.ts'
import { sandboxPrivileges } from '../privileges.ts'
import { qemuArguments } from './command-line.ts'
import { guestFiles, vmmConfinement } from './confinement.ts'
import { Console } from './console.ts'
import { HotPlug } from './hot-plug.ts'
import { MemoryDevice } from './memory-device.ts'
import { passNics } from './nic.ts'
import { Qmp } from './qmp.ts'
import { RootPorts } from './root-ports.ts'

/** QMP answers 20 to 50 ms after the exec; a machine under load gets a hundred times that. */
const qmpLimitMs = 10_000
/** pause, resume and the like. */
const commandLimitMs = 5_000

/** How long the VMM's end may be noticed after that of a daemon which ended because of it. */
const endLagMs = 500

/**
 * What start-up is busy with, for the diagnosis:
 *
 *   prepare ─▶ daemons ─▶ vmm (exec until QMP answers) ─▶ boot (until the agent dials) ─▶ running
 */
type Phase = 'prepare' | 'daemons' | 'vmm' | 'boot' | 'running'

const phaseTexts: Readonly<Record<Phase, string>> = {
  prepare: 'before the VMM started',
  daemons: 'while the daemons of the VM started',
  vmm: 'while the VMM started',
  boot: 'while the guest booted',
  running: 'while the VM ran',
}

/**
 * A microVM by QEMU. Everything it needs is handed over as an open descriptor (QMP, console, vsock, virtio-fs), so
 * there is no socket path to wait for, to guess or to leave behind.
 *
 * Given back in this order: VMM (SIGKILL: the guest holds nothing that outlives it, files of the share are written
 * through) → QMP and console → virtiofsd → vsock daemon and sockets.
 */
export class Qemu implements Hypervisor {
  readonly ownKernel = true
  #phase: Phase = 'prepare'
  #vmm: Daemon | undefined
  #virtiofsd: Virtiofsd | undefined
  #qmp: Qmp | undefined
  #memory: MemoryDevice | undefined
  #hotPlug: HotPlug | undefined
  #console: Console | undefined
  #owner = new Owner()
  #stopping: Promise<void> | undefined
  /** The first thing that went wrong. Later failures are its consequences. */
  #failure: Fault | undefined
  /** How the guest ended, where QEMU told: `guest-shutdown`, `guest-reset` (a panic, too), … */
  #shutdownReason: string | undefined
  #vmmExit!: (exit: VmmExit) => void
  readonly #exited: Promise<VmmExit>
  #room: VmRoom = { maxMemoryMib: 0, possibleVcpus: 0 }
  /** Why the VM can no longer work; undefined while it can. */
  #broken: Fault | undefined
  /** Rejects of whoever waits for something that a broken VM will never give. Not a promise to race against: each race would stay attached to it for the VM's life. */
  readonly #waiting = new Set<(fault: Fault) => void>()

  constructor(private readonly config: Config, private readonly sandbox: HypervisorSandbox, private readonly vsock: GuestVsock, private readonly groups: DaemonGroups) {
    this.#exited = new Promise(resolve => { this.#vmmExit = resolve })
  }

  get pid(): number {
    return this.#vmm?.pid ?? 0
  }

  async launch(nics: readonly Nic[] = []): Promise<void> {
    if (this.#phase !== 'prepare' || this.#stopping) throw new Fault('a VM is launched once')
    try {
      await this.#launch(nics)
    } catch (cause) {
      const fault = this.#diagnosed(cause)
      await this.stop()
      throw fault
    }
  }

  async acceptAgent(timeoutMs: number): Promise<Fd> {
    try {
      const limited = within(this.vsock.acceptAgent(), timeoutMs, 'the boot of the guest', 'the console above tells how far it got; agent.timeout_ms sets the limit')
      const control = await this.#unlessBroken(limited)
      this.#phase = 'running'
      return control
    } catch (cause) {
      throw this.#diagnosed(cause)
    }
  }

  connect(port: number): Promise<Fd> {
    const connection = this.vsock.connect(port)
    // A VM that breaks meanwhile never answers. The connection is closed when it comes all the same.
    return this.#unlessBroken(connection).catch((error: unknown) => {
      connection.then(fd => fd.close(), () => {})
      throw error
    })
  }

  async resize({ vcpus, memoryMib }: VmSize): Promise<VmSize> {
    if (vcpus > this.#room.possibleVcpus) throw new Fault(`the VM cannot have ${vcpus} vCPUs: it was made for ${this.#room.possibleVcpus}`)
    const { memoryMib: bootMib, machine } = this.config.hypervisor
    // It has what it booted with, and cannot give that back.
    if (!this.#memory || memoryMib <= bootMib && machine !== 'q35') return { vcpus, memoryMib: bootMib }
    if (machine !== 'q35') throw new Fault(`the VM cannot grow from ${bootMib} to ${memoryMib} MiB: its machine type is microvm`, { fix: 'set hypervisor.machine = "q35" for pods that are resized' })
    this.groups.allowMemory(memoryMib)
    return { vcpus, memoryMib: await this.#unlessBroken(this.#memory.resize(memoryMib)) }
  }

  async attach(device: Device): Promise<Attachment> {
    if (!this.#hotPlug || this.#phase === 'vmm') throw new Fault('there is no VM to plug a device into')
    const attached = await this.#unlessBroken(this.#hotPlug.attach(device))
    return { pciPath: attached.pciPath, detach: () => this.#detach(attached) }
  }

  /** With the VM its devices are gone as well. */
  async #detach(attached: Attachment): Promise<void> {
    if (this.#broken) return
    await this.#unlessBroken(attached.detach()).catch((error: unknown) => {
      if (!this.#broken) throw error
    })
  }

  async pause(): Promise<void> {
    await this.#command('stop')
  }

  async resume(): Promise<void> {
    await this.#command('cont')
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  wait(): Promise<VmmExit> {
    return this.#exited
  }

  diagnosis(): string {
    const lines = this.#console?.lastLines(8) ?? ''
    const parts = [`${this.#failure ? this.#failure.message : 'the VM works'} (${phaseTexts[this.#phase]})`]
    // A dump of registers and stack stands between an oops and the panic that it ends in.
    const story = this.#failure && consoleStory(this.#console?.lastLines(100) ?? '')
    if (story !== undefined) parts.unshift(story)
    const daemons = [this.#vmm, this.#virtiofsd?.daemon, this.vsock.daemon].filter(daemon => daemon !== undefined)
    for (const daemon of daemons) {
      const words = withoutNoise(daemon.lastWords())
      if (words !== '') parts.push(`${daemon.name} said: ${words}`)
    }
    if (this.#shutdownReason !== undefined) parts.push(`end of the guest: ${this.#shutdownReason}`)
    if (this.#vmm) parts.push(lines === '' ? 'the guest printed nothing on its console' : `guest console: ${lines}`)
    return parts.join('; ')
  }

  async #launch(nics: readonly Nic[]): Promise<void> {
    const { config, sandbox } = this
    requireMemory(config.hypervisor.memoryMib)
    this.#room = roomOf(config.hypervisor)
    using kernel = lend(config.guest.kernel, 'guest kernel', 'guest.kernel')
    using initrd = lend(config.guest.initrd, 'guest image', 'guest.initrd')
    using firmware = lend(config.guest.firmware, 'firmware', 'guest.firmware')
    const accelerator = chooseAccelerator(config.hypervisor.accelerator, sandbox.log)
    this.#phase = 'daemons'
    this.#owner.defer('vsock', () => this.vsock.close())
    const listening = this.vsock.listen()
    listening.catch(() => {}) // told below; virtiofsd may fail before
    const virtiofsd = this.#virtiofsd = new Virtiofsd({
      share: config.share, source: sandbox.shareDir, stateDir: sandbox.stateDir, confined: config.hypervisor.confinement,
      cgroups: this.groups.virtiofsd(), journal: sandbox.journal,
    })
    this.#owner.defer('virtiofsd', () => virtiofsd.stop())
    this.#watch(virtiofsd.daemon)
    const vsock = await this.#unlessBroken(listening)
    if (this.vsock.daemon) this.#watch(this.vsock.daemon)
    this.#phase = 'vmm'
    const qmp = this.#spawn({ vsock, accelerator, files: { fs: virtiofsd.device, kernel, initrd, firmware }, nics })
    sandbox.timeline.mark('vmm')
    await this.#unlessBroken(within(this.#greet(qmp), qmpLimitMs, 'the start of QEMU'))
    sandbox.timeline.mark('qmp')
    this.#phase = 'boot'
    sandbox.log.info('VMM runs', { pid: this.pid, qemu: qmp.version, accelerator: accelerator.kind, machine: config.hypervisor.machine, vsock: vsock.kind })
  }

  /** A dying VMM closes QMP first: how it ended says more than that. */
  async #greet(qmp: Qmp): Promise<void> {
    try {
      await qmp.handshake()
    } catch (error) {
      if (this.#vmm) await within(this.#vmm.exited, endLagMs, 'the end of the VMM').catch(() => {})
      throw error
    }
  }

  /** Starts QEMU with its descriptors; gives the QMP session. */
  #spawn({ vsock, accelerator, files, nics }: Parts): Qmp {
    const { config, sandbox } = this
    const qmp = socketPair('QMP')
    using qmpTheirs = qmp.theirs
    this.#qmp = this.#owner.own('QMP', new Qmp(qmp.ours))
    this.#memory = new MemoryDevice(this.#qmp, { bootMib: config.hypervisor.memoryMib, maxMib: this.#room.maxMemoryMib })
    this.#hotPlug = new HotPlug(this.#qmp, new RootPorts(config.hypervisor.hotPlugSlots))
    this.#qmp.onEvent((name, data) => this.#event(name, data))
    const console = socketPair('console')
    using consoleTheirs = console.theirs
    const guestConsole = this.#console = new Console(console.ours, sandbox.log, () => sandbox.timeline.mark('kernel'))
    this.#owner.defer('console', () => guestConsole.close())
    // In the order of `pass`, from 3 on.
    const [qmpFd, consoleFd, vsockFd, fsFd] = [3, 4, 5, 6]
    const confinement = config.hypervisor.confinement ? vmmConfinement(config, accelerator) : undefined
    // A confined one has files of its own root; otherwise they are lent open.
    const lent = confinement ? [] : [files.kernel, files.initrd, files.firmware]
    using net = passNics(nics, fsFd + 1 + lent.length)
    const booted = confinement ? guestFiles : { kernel: '/proc/self/fd/7', initrd: '/proc/self/fd/8', firmware: '/proc/self/fd/9' }
    const cgroups = this.groups.vmm()
    this.groups.allowMemory(config.hypervisor.memoryMib, accelerator)
    const vmm = this.#vmm = new Daemon({
      program: { name: config.hypervisor.path, key: 'hypervisor.path', role: 'qemu' },
      args: qemuArguments({
        sandboxId: sandbox.id, hypervisor: config.hypervisor, room: this.#room, guest: config.guest, verbose: config.debug.console, accelerator,
        qmpFd, consoleFd, vsock: { ...vsock, fd: vsockFd }, fsFd, ...booted, nics: net.devices,
      }),
      pass: [...[qmpTheirs, consoleTheirs, { number: vsock.fd }, files.fs, ...lent].map(file => file.number), ...net.fds],
      cwd: '/',
      // No network, no System V memory of the host within reach: what it needs is handed over open.
      namespaces: CLONE_NEWNET | CLONE_NEWIPC,
      ...(config.hypervisor.unprivileged && { privileges: sandboxPrivileges('vmm', accelerator.kind === 'kvm') }),
      cgroups,
      confinement,
      journal: sandbox.journal,
    })
    this.#owner.defer('VMM', () => vmm.stop())
    vmm.exited.then(
      exit => this.#vmmEnded({ ...exit, text: `${vmm.name} ${exitText(exit)}${this.groups.whyKilled('vmm')}` }),
      (error: unknown) => this.#fail(new Fault(story(error), { cause: error })),
    )
    return this.#qmp
  }

  #vmmEnded(exit: VmmExit): void {
    this.#fail(new Fault(exit.text))
    this.#vmmExit(exit)
  }

  /** A VM without one of its daemons hangs at its next access: it is ended, and the death of the daemon is what is told. */
  #watch(daemon: Daemon): void {
    daemon.exited.then(exit => this.#daemonEnded(daemon, exit), (error: unknown) => this.#fail(new Fault(story(error), { cause: error })))
  }

  async #daemonEnded(daemon: Daemon, exit: Exit): Promise<void> {
    // Both daemons end by themselves, with status 0, when the VMM does: its own end may be noticed just after theirs.
    if (exit.status === 0 && this.#vmm) await within(this.#vmm.exited, endLagMs, 'the end of the VMM').catch(() => {})
    if (this.#stopping || this.#vmm?.exit) return
    this.#fail(new Fault(`${daemon.name} ${exitText(exit)}${this.groups.whyKilled(daemon === this.#virtiofsd?.daemon ? 'virtiofsd' : 'vmm')}`))
    await this.#vmm?.stop()
  }

  #fail(fault: Fault): void {
    this.#failure ??= fault
    this.#broken ??= this.#failure
    for (const reject of this.#waiting) reject(this.#broken)
    this.#waiting.clear()
  }

  /** What `promise` gives, or the reason why the VM broke before it gave it. */
  #unlessBroken<T>(promise: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#broken) reject(this.#broken)
      else this.#waiting.add(reject)
      // In either case: a rejection of `promise` itself is taken care of.
      promise.then(resolve, reject).finally(() => this.#waiting.delete(reject))
    })
  }

  #event(name: string, data: Record<string, unknown>): void {
    this.sandbox.log.debug(`QMP event ${name.slice(0, 64)}`)
    if (name === 'SHUTDOWN' && typeof data.reason === 'string') this.#shutdownReason = data.reason.slice(0, 64)
    if (name === 'MEMORY_DEVICE_SIZE_CHANGE') this.#memory?.sizeChanged(data)
    if (name === 'DEVICE_DELETED') this.#hotPlug?.deviceDeleted(data)
    if (name === 'STOP') void this.#stopped()
  }

  /** The VM stands still. Where we did not ask for that, the VMM gave up on it (a KVM internal error, say) and nothing would ever go on. */
  async #stopped(): Promise<void> {
    const answer = await this.#qmp?.execute('query-status').catch(() => undefined)
    const status = typeof answer === 'object' && answer !== null && 'status' in answer ? String(answer.status).slice(0, 64) : ''
    if (!['internal-error', 'io-error', 'guest-panicked', 'watchdog'].includes(status)) return
    this.#fail(new Fault(`the VMM gave up on the guest: ${status}`))
    await this.#vmm?.stop()
  }

  async #command(name: string): Promise<void> {
    if (!this.#qmp) throw new Fault(`${name}: there is no VM`)
    await within(this.#qmp.execute(name), commandLimitMs, `QMP ${name}`)
  }

  async #stop(): Promise<void> {
    // Its exit is no failure from here on.
    this.#fail(new Fault('the VM was stopped'))
    await this.#owner.release()
  }

  /** `cause` with everything that helps to understand it. The first thing that went wrong is the one to tell. */
  #diagnosed(cause: unknown): Fault {
    this.#failure ??= new Fault(story(cause), { cause })
    return new Fault(this.diagnosis(), { cause })
  }
}

/** What QEMU is started with; all descriptors are lent. */
interface Parts {
  vsock: VsockDevice
  accelerator: Accelerator
  files: { fs: Fd; kernel: Fd; initrd: Fd; firmware: Fd }
  nics: readonly Nic[]
}

/** Guests together may be promised more than the host has, one alone may not: QEMU would start, and the guest die without a word. */
function requireMemory(memoryMib: number): void {
  const totalKib = Number(/^MemTotal:\s+(\d+) kB$/m.exec(readText('/proc/meminfo', 64 * 1024))?.[1])
  if (memoryMib * 1024 <= totalKib) return
  throw new Fault(`a sandbox is to have ${memoryMib} MiB, and the host has ${Math.floor(totalKib / 1024)}`, { fix: 'lower hypervisor.memory_mib' })
}

/** Both ends are the caller's; ours is non-blocking, theirs too (one flag for both), which QEMU sets in any case. */
function socketPair(what: string): { ours: Fd; theirs: Fd } {
  const [ours, theirs] = checked('socketpair', what, sys.socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0))
  return { ours: new Fd(ours, what), theirs: new Fd(theirs, `${what} (VMM's end)`) }
}
