import * as sys from 'native:sys'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { EPOLLIN } from '../../../native/ts/constants/epoll.ts'
import { check, E } from '../../../native/ts/errno.ts'
import { fake } from '../../../native/ts/fake/sys.ts'
import { Fd } from '../../../native/ts/fd.ts'
import { configFrom } from '../../config/config.ts'
import { silentLog } from '../../log.ts'
import { Timeline } from '../../timeline.ts'
import type { GuestVsock, VsockDevice } from '../../vsock/vsock.ts'
import { DaemonGroups } from '../daemon-groups.ts'
import { Qemu } from './qemu.ts'

const state = '/run/kata-ts/default/s1'
const config = configFrom([{ path: 'x', text: '[hypervisor]\naccelerator = "tcg"\npath = "/bin/qemu"\n[share]\nvirtiofsd = "/bin/virtiofsd"\n' }])
const utf8 = new TextEncoder()

/** vsock whose guest dials when the test says so. */
class FakeVsock implements GuestVsock {
  readonly daemon = undefined
  closed = 0
  dial!: (fd: Fd) => void
  readonly #dialled = new Promise<Fd>(resolve => { this.dial = resolve })
  #device: Fd | undefined
  async listen(): Promise<VsockDevice> {
    this.#device = new Fd(check('eventfd', 'vsock device', sys.eventfd(0, 0)), 'vsock device')
    return { kind: 'vhost', fd: this.#device.number, guestCid: 3, controlPort: 1024 }
  }
  acceptAgent(): Promise<Fd> { return this.#dialled }
  connected: (fd: Fd) => void = () => {}
  connect(): Promise<Fd> { return new Promise(resolve => { this.connected = resolve }) }
  async close(): Promise<void> { this.closed++; this.#device?.close() }
}

/** The processes of the fake host: which program runs under which pid, and QEMU's end of QMP. */
class Host {
  readonly pids: number[] = []
  qmp: number | undefined
  answers = true
  readonly commands: string[] = []
  status = 'running'

  constructor() {
    fake.reset()
    for (const path of ['/bin/qemu', '/bin/virtiofsd', config.guest.kernel, config.guest.initrd, config.guest.firmware]) fake.put(path, 'x', 0o755)
    fake.put('/proc/sys/kernel/random/boot_id', 'b')
    fake.put('/proc/meminfo', 'MemTotal:       24684000 kB\n')
    fake.put('/proc/self/uid_map', '         0          0 4294967295\n')
    fake.makeParents(`${state}/x`)
    fake.onCall('bindUnix', () => 0)
    fake.onCall('connectUnix', () => 0)
    fake.onCall('clone3', () => {
      const process = fake.addProcess()
      this.pids.push(process.pid)
      // The second process is QEMU: it inherits its ends of the socket pairs, the first of which is QMP.
      if (this.pids.length === 2) this.#becomeQemu()
      return process
    })
  }

  /** Keeps the inherited ends open until QEMU ends, and greets. */
  #becomeQemu(): void {
    const inherited = [...fake.fds.values()].filter(file => file.what === 'socket b').map(file => fake.install({ ...file, what: 'held by QEMU' }))
    this.qmp = inherited[0]
    if (!this.answers || this.qmp === undefined) return
    this.say('{"QMP": {"version": {"qemu": {"major": 7, "minor": 2, "micro": 22}}, "capabilities": []}}')
    // Not through sys.watch: a failure planned for our own watches must not hit the double's.
    fake.watches.set(this.qmp, { events: EPOLLIN, callback: () => this.#answer() })
  }

  #answer(): void {
    const buffer = new Uint8Array(4096)
    const got = fake.readFd(this.qmp ?? -1, buffer, 0, buffer.length)
    for (const line of new TextDecoder().decode(buffer.subarray(0, Math.max(0, got))).trim().split('\n')) {
      if (line === '') continue
      const { execute, id } = JSON.parse(line) as { execute: string; id: number }
      this.commands.push(execute)
      if (execute === 'query-status') this.say(JSON.stringify({ return: { status: this.status }, id }))
      else this.say(JSON.stringify(execute === 'cont' ? { error: { class: 'GenericError', desc: 'no' }, id } : { return: {}, id }))
    }
  }

  say(line: string): void {
    const bytes = utf8.encode(`${line}\n`)
    sys.write(this.qmp ?? -1, bytes, 0, bytes.length)
  }

  /** QEMU's descriptors end with it. */
  leaks(): string[] {
    const { fds, processes, mounts } = fake.held()
    return [...fds.filter(what => what !== 'held by QEMU'), ...processes.map(String), ...mounts]
  }
}

describe('Qemu', () => {
  let host: Host
  let vsock: FakeVsock
  let timeline: Timeline
  const vm = () => new Qemu(config, { id: 's1', stateDir: state, shareDir: `${state}/share`, log: silentLog, timeline }, vsock, new DaemonGroups(config, undefined, undefined, silentLog))

  beforeEach(() => {
    host = new Host()
    vsock = new FakeVsock()
    timeline = new Timeline()
  })

  it('launches, takes the agent\'s call, and stop leaves nothing', async () => {
    const qemu = vm()
    await qemu.launch()
    expect(qemu.pid).toBe(host.pids[1])
    vsock.dial(new Fd(sys.eventfd(0, 0), 'control'))
    const control = await qemu.acceptAgent(1000)
    control.close()
    await qemu.stop()
    expect(host.leaks()).toEqual([])
    expect(Object.keys(timeline.phases())).toEqual(['exec', 'vmm', 'qmp'])
  })

  it('names the key that does without, where the host has not all namespaces', async () => {
    fake.fail('clone3', E.EINVAL)
    await expect(vm().launch()).rejects.toThrow(/virtiofsd cannot be shut into namespaces.*hypervisor\.confinement = false/)
    expect(host.leaks()).toEqual([])
  })

  it('ends the VMM before its daemons', async () => {
    const qemu = vm()
    await qemu.launch()
    fake.calls = []
    await qemu.stop()
    const killed = fake.callsOf('pidfdSendSignal').map(call => call[1])
    expect(killed).toEqual([9, 9])
    expect(fake.callsOf('waitid').map(call => call[1])).not.toEqual([])
    expect(vsock.closed).toBe(1)
  })

  it('stops once, however often and early it is asked to', async () => {
    const idle = vm()
    await Promise.all([idle.stop(), idle.stop()])
    const launching = vm()
    const launched = launching.launch()
    launched.catch(() => {})
    await launching.stop()
    await expect(launched).rejects.toThrow('the VM was stopped')
    expect(host.leaks()).toEqual([])
  })

  it.each([
    ['openat', 0], ['openat', 1], ['openat', 2], ['openat', 3], ['socket', 0], ['bindUnix', 0], ['listen', 0], ['connectUnix', 0],
    ['pipe2', 0], ['pipe2', 1], ['pipe2', 2], ['clone3', 0], ['clone3', 1], ['socketpair', 0], ['socketpair', 1], ['eventfd', 0],
    ['watch', 0], ['watch', 1], ['watch', 2], ['readFile', 0],
  ] as const)('when %s fails after %i, launch rejects with it and leaves nothing', async (call, after) => {
    fake.fail(call, E.EMFILE, after)
    const qemu = vm()
    await expect(qemu.launch()).rejects.toThrow('EMFILE')
    await qemu.stop()
    expect(host.leaks()).toEqual([])
  })

  it.each([
    ['the kernel', config.guest.kernel, 'guest kernel /usr/share/kata-ts/vmlinux cannot be read; build or install it, or set guest.kernel'],
    ['the image', config.guest.initrd, 'guest image /usr/share/kata-ts/initrd.cpio cannot be read'],
    ['QEMU', '/bin/qemu', '/bin/qemu does not exist or is not executable; install it, or set hypervisor.path'],
    ['virtiofsd', '/bin/virtiofsd', '/bin/virtiofsd does not exist or is not executable; install it, or set share.virtiofsd'],
  ])('names what is missing: %s', async (_what, path, message) => {
    fake.nodes.delete(path)
    await expect(vm().launch()).rejects.toThrow(message)
    expect(host.leaks()).toEqual([])
  })

  it('refuses more memory than the host has', async () => {
    fake.put('/proc/meminfo', 'MemTotal:         200000 kB\n')
    await expect(vm().launch()).rejects.toThrow('a sandbox is to have 256 MiB, and the host has 195; lower hypervisor.memory_mib')
  })

  it('tells how the VMM ended at its start, and what it said', async () => {
    host.answers = false
    const launched = vm().launch()
    launched.catch(() => {})
    await vi.waitFor(() => expect(host.pids).toHaveLength(2))
    fake.exitProcess(host.pids[1] ?? 0, 1)
    await expect(launched).rejects.toThrow(/^qemu exited with status 1 \(while the VMM started\)/)
    expect(host.leaks()).toEqual([])
  })

  it('rejects acceptAgent with the story when the guest dies while it boots', async () => {
    const qemu = vm()
    await qemu.launch()
    const accepted = qemu.acceptAgent(60_000)
    accepted.catch(() => {})
    host.say('{"event": "SHUTDOWN", "data": {"reason": "guest-reset"}}')
    await new Promise(resolve => setImmediate(resolve))
    fake.exitProcess(host.pids[1] ?? 0, 0)
    await expect(accepted).rejects.toThrow(/qemu exited with status 0 \(while the guest booted\).*end of the guest: guest-reset/)
    expect(await qemu.wait()).toMatchObject({ status: 0, text: 'qemu exited with status 0' })
    await qemu.stop()
    expect(host.leaks()).toEqual([])
  })

  it('ends the VM when a daemon of it was killed, and blames the daemon', async () => {
    const qemu = vm()
    await qemu.launch()
    fake.exitProcess(host.pids[0] ?? 0, 9, 2)
    const exit = await qemu.wait()
    expect(exit.signal).toBe(9)
    expect(qemu.diagnosis()).toMatch(/^virtiofsd was killed by SIGKILL/)
    await qemu.stop()
    expect(host.leaks()).toEqual([])
  })

  it('ends a VM that the VMM gave up on', async () => {
    const qemu = vm()
    await qemu.launch()
    host.status = 'internal-error'
    host.say('{"event": "STOP"}')
    expect((await qemu.wait()).signal).toBe(9)
    expect(qemu.diagnosis()).toMatch(/^the VMM gave up on the guest: internal-error/)
    await qemu.stop()
  })

  it('lets a VM stand that was paused', async () => {
    const qemu = vm()
    await qemu.launch()
    host.status = 'paused'
    await qemu.pause()
    host.say('{"event": "STOP"}')
    await vi.waitFor(() => expect(host.commands).toContain('query-status'))
    expect(qemu.diagnosis()).toMatch(/^the VM works/)
    await qemu.stop()
  })

  it('gives up a connection when the VM breaks, and closes it when it comes all the same', async () => {
    const qemu = vm()
    await qemu.launch()
    const connecting = qemu.connect(1025)
    connecting.catch(() => {})
    fake.exitProcess(host.pids[1] ?? 0, 9, 2)
    await expect(connecting).rejects.toThrow('qemu was killed by SIGKILL')
    vsock.connected(new Fd(check('eventfd', 'late', sys.eventfd(0, 0)), 'late'))
    await qemu.stop()
    await expect(qemu.connect(1025)).rejects.toThrow('qemu was killed by SIGKILL')
    expect(host.leaks()).toEqual([])
  })

  it('gives the agent no more time than it was given', async () => {
    const qemu = vm()
    await qemu.launch()
    await expect(qemu.acceptAgent(5)).rejects.toThrow('the boot of the guest took longer than 5 ms')
    await qemu.stop()
    expect(host.leaks()).toEqual([])
  })

  it('pauses and resumes by QMP', async () => {
    const qemu = vm()
    await qemu.launch()
    await qemu.pause()
    await expect(qemu.resume()).rejects.toThrow('QMP cont: GenericError: no')
    expect(host.commands).toEqual(['qmp_capabilities', 'stop', 'cont'])
    await qemu.stop()
  })
})
