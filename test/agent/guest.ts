/**
 * A microVM with the agent in it, started by hand: what the shim does, in the few lines a test of the agent needs.
 *
 *   vhost-device-vsock, virtiofsd ─▶ QEMU ─▶ agent dials <uds>_1024 ─▶ ttrpc client on that socket
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, existsSync, linkSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer, connect as dial, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { AgentDefinition, type CreateSandboxResponse, type Event } from '../../protocol/gen/agent.ts'
import { connect, createClient } from '../../protocol/ttrpc/client.ts'
import type { Connection } from '../../protocol/ttrpc/transport.ts'

type Told = NonNullable<Event['event']>
type Case = Told['$case']
type Value<K extends Case> = Extract<Told, { $case: K }>['value']

export const shareDir = '/run/kata-ts/share'

/** What takes longer has failed. */
const bootLimitMs = 60_000
const eventLimitMs = 30_000

export class Guest {
  readonly events: Told[] = []
  readonly #watchers = new Set<() => void>()
  console = ''
  sandbox: CreateSandboxResponse | undefined

  private constructor(readonly dir: string, private readonly children: ChildProcess[], readonly control: Socket, readonly agent: ReturnType<typeof agentOver>) {
    void this.#read()
  }

  /** Boots a guest; its share holds `rootfs/` with Debian's static busybox. */
  static async boot(words: readonly string[] = []): Promise<Guest> {
    const dir = mkdtempSync(`${tmpdir()}/kata-ts-agent-`)
    const children: ChildProcess[] = []
    makeRootfs(`${dir}/share/rootfs`)
    const control = accepted(`${dir}/vsock.sock_1024`)
    children.push(spawn('build/bin/vhost-device-vsock', ['--vm', `guest-cid=3,socket=${dir}/vhost.sock,uds-path=${dir}/vsock.sock,tx-buffer-size=32404`], { stdio: 'ignore' }))
    children.push(spawn('/usr/lib/qemu/virtiofsd', [`--socket-path=${dir}/fs.sock`, '-o', `source=${dir}/share`, '-o', 'announce_submounts'], { stdio: 'ignore' }))
    await until(() => existsSync(`${dir}/vhost.sock`) && existsSync(`${dir}/fs.sock`), 'sockets of the daemons')
    const qemu = spawn('qemu-system-x86_64', qemuArguments(dir, words), { stdio: ['ignore', 'pipe', 'pipe'] })
    children.push(qemu)
    let console = ''
    for (const stream of [qemu.stdout, qemu.stderr]) stream.setEncoding('utf8').on('data', (text: string) => { console += text })
    const died = once(qemu, 'close').then(() => { throw new Error(`QEMU ended before the agent called:\n${console}`) })
    died.catch(() => {})
    const late = new Promise<never>((_, reject) => setTimeout(() => reject(new Error(`no call of the agent:\n${console}`)), bootLimitMs).unref())
    const socket = await Promise.race([control, died, late])
    const guest = new Guest(dir, children, socket, agentOver(socket))
    Object.defineProperty(guest, 'console', { get: () => console })
    return guest
  }

  /** Opens the host's end of a stream, with its header sent. */
  async stream(id: bigint): Promise<Socket> {
    const socket = dial({ path: `${this.dir}/vsock.sock`, allowHalfOpen: true })
    socket.on('error', () => {})
    await once(socket, 'connect')
    socket.write('CONNECT 1025\n')
    const [answer] = await once(socket, 'data') as [Buffer]
    if (!answer.toString('latin1').startsWith('OK ')) throw new Error(`vsock answered ${JSON.stringify(answer.toString('latin1'))}`)
    const header = Buffer.alloc(16)
    header.write('KTSTREAM', 'latin1')
    header.writeBigUInt64LE(id, 8)
    socket.write(header)
    return socket
  }

  /** The first event of a kind that `is` accepts, past or to come. */
  async event<K extends Case>(kind: K, is: (value: Value<K>) => boolean): Promise<Value<K>> {
    const found = await new Promise<Told>((resolve, reject) => {
      const look = (): void => {
        const event = this.events.find(event => event.$case === kind && is(event.value as Value<K>)) // its kind was just compared
        if (!event) return
        clearTimeout(timer)
        this.#watchers.delete(look)
        resolve(event)
      }
      const timer = setTimeout(() => reject(new Error(`no event ${kind}; the last ones: ${this.#lastEvents()}\n${this.console}`)), eventLimitMs)
      this.#watchers.add(look)
      look()
    })
    return found.value as Value<K> // as above
  }

  /** Ends everything and removes the directory. Gives QEMU's exit status: 0 when the agent powered the VM off. */
  async stop(): Promise<number | null> {
    const qemu = this.children[2]
    this.control.destroy()
    const timer = setTimeout(() => qemu?.kill('SIGKILL'), 10_000)
    if (qemu?.exitCode === null) await once(qemu, 'close')
    clearTimeout(timer)
    for (const child of this.children) child.kill('SIGKILL')
    rmSync(this.dir, { recursive: true, force: true })
    return qemu?.exitCode ?? null
  }

  #lastEvents(): string {
    return JSON.stringify(this.events.slice(-20), (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value))
  }

  async #read(): Promise<void> {
    try {
      for await (const { event } of this.agent.events({})) {
        if (event) this.events.push(event)
        for (const look of [...this.#watchers]) look()
      }
    } catch {
      // The connection's end, which the tests see by other means.
    }
  }
}

function agentOver(socket: Socket) {
  const connection: Connection = {
    write: bytes => void socket.write(bytes),
    close: () => void socket.destroy(),
    onData: receive => void socket.on('data', receive),
    onClose: closed => void socket.on('error', () => {}).on('close', () => closed(undefined)),
  }
  return createClient(AgentDefinition, connect(connection))
}

function accepted(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const server = createServer(socket => { resolve(socket); server.close() })
    server.on('error', reject).listen(path)
  })
}

function qemuArguments(dir: string, words: readonly string[]): string[] {
  const khz = execFileSync(tscKhz(), { encoding: 'utf8' }).trim()
  return [
    '-nodefaults', '-no-user-config', '-nographic', '-no-reboot', '-M', 'microvm,pcie=on,memory-backend=mem', '-bios', 'qboot.rom',
    '-accel', 'tcg,thread=multi', '-cpu', 'max', '-smp', '1', '-m', '256M', '-object', 'memory-backend-memfd,id=mem,size=256M,share=on',
    '-kernel', 'build/guest/vmlinux', '-initrd', 'build/guest/initrd.cpio',
    '-append', ['console=ttyS0 quiet panic=-1 tsc=reliable', `tsc_early_khz=${khz}`, 'pcie_ports=native noreplace-smp lapic_timer_khz=1000000', ...words].join(' '),
    '-chardev', 'stdio,id=con,signal=off', '-serial', 'chardev:con', '-device', 'virtio-rng-pci',
    '-chardev', `socket,id=vsock,path=${dir}/vhost.sock`, '-device', 'vhost-user-vsock-pci,chardev=vsock',
    '-chardev', `socket,id=fs,path=${dir}/fs.sock`, '-device', 'vhost-user-fs-pci,chardev=fs,tag=kata-ts',
  ]
}

function tscKhz(): string {
  const path = 'build/test/tsc-khz'
  mkdirSync('build/test', { recursive: true })
  execFileSync('hack/build-bin', ['--bundle', 'test/agent/programs/tsc-khz.ts', '-o', path], { stdio: ['ignore', 'ignore', 'inherit'] })
  return path
}

function makeRootfs(root: string): void {
  for (const directory of ['bin', 'dev', 'etc', 'proc', 'sys', 'tmp', 'root']) mkdirSync(`${root}/${directory}`, { recursive: true })
  copyFileSync('/bin/busybox', `${root}/bin/busybox`)
  for (const applet of ['sh', 'echo', 'cat', 'sleep', 'true', 'false', 'dd', 'head', 'wc', 'md5sum', 'stty', 'tty', 'kill', 'id', 'ls', 'mount', 'hostname', 'date', 'tail', 'readlink', 'ip', 'ping'])
    linkSync(`${root}/bin/busybox`, `${root}/bin/${applet}`)
}

async function until(is: () => boolean, what: string): Promise<void> {
  for (const deadline = Date.now() + 5000; !is();) {
    if (Date.now() > deadline) throw new Error(`${what}: not there after 5 s`)
    await new Promise(resolve => setTimeout(resolve, 2))
  }
}
