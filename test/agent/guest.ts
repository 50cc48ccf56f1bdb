/**
 * A microVM with the agent in it, started by hand: what the shim does, in the few lines a test of the agent needs.
 *
 *   vhost-device-vsock, virtiofsd ─▶ QEMU ─▶ agent dials <uds>_1024 ─▶ ttrpc client on that socket
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { AgentEnd, dialUnix } from './agent-end.ts'
import { makeRootfs } from './rootfs.ts'

/** What takes longer has failed. */
const bootLimitMs = 60_000

export class Guest extends AgentEnd {
  private constructor(private readonly dir: string, private readonly children: ChildProcess[], private readonly control: Socket, private readonly output: { text: string }) {
    super(control, {
      rootfs: '/run/kata-ts/share/rootfs',
      dialStream: () => dialHybrid(`${dir}/vsock.sock`),
      console: () => output.text,
    })
  }

  get console(): string {
    return this.output.text
  }

  /** Boots a guest; its share holds `rootfs/` with Debian's static busybox. `words`: further ones for the kernel. Leaves nothing when it fails. */
  static async boot(words: readonly string[] = []): Promise<Guest> {
    const dir = mkdtempSync(`${tmpdir()}/kata-ts-agent-`)
    const children: ChildProcess[] = []
    try {
      return await Guest.#bootIn(dir, children, words)
    } catch (error) {
      for (const child of children) child.kill('SIGKILL')
      rmSync(dir, { recursive: true, force: true })
      throw error
    }
  }

  static async #bootIn(dir: string, children: ChildProcess[], words: readonly string[]): Promise<Guest> {
    makeRootfs(`${dir}/share/rootfs`)
    const control = accepted(`${dir}/vsock.sock_1024`)
    children.push(
      spawn('build/bin/vhost-device-vsock', ['--vm', `guest-cid=3,socket=${dir}/vhost.sock,uds-path=${dir}/vsock.sock,tx-buffer-size=32404`], { stdio: 'ignore' }),
      spawn('/usr/lib/qemu/virtiofsd', [`--socket-path=${dir}/fs.sock`, '-o', `source=${dir}/share`, '-o', 'announce_submounts'], { stdio: 'ignore' }),
    )
    await until(() => existsSync(`${dir}/vhost.sock`) && existsSync(`${dir}/fs.sock`), 'sockets of the daemons')
    const qemu = spawn('qemu-system-x86_64', qemuArguments(dir, words), { stdio: ['ignore', 'pipe', 'pipe'] })
    children.push(qemu)
    const output = { text: '' }
    for (const stream of [qemu.stdout, qemu.stderr]) stream.setEncoding('utf8').on('data', (text: string) => { output.text += text })
    const died = once(qemu, 'close').then(() => { throw new Error(`QEMU ended before the agent called:\n${output.text}`) })
    died.catch(() => {})
    const late = new Promise<never>((_, reject) => setTimeout(() => reject(new Error(`no call of the agent:\n${output.text}`)), bootLimitMs).unref())
    late.catch(() => {})
    return new Guest(dir, children, await Promise.race([control, died, late]), output)
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
}

/** CONNECT and OK, as vhost-device-vsock wants them; nothing may be sent before OK. */
async function dialHybrid(path: string): Promise<Socket> {
  const socket = await dialUnix(path)
  socket.write('CONNECT 1025\n')
  const [answer] = await once(socket, 'data') as [Buffer]
  if (!answer.toString('latin1').startsWith('OK ')) throw new Error(`vsock answered ${JSON.stringify(answer.toString('latin1'))}`)
  return socket
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

async function until(is: () => boolean, what: string): Promise<void> {
  for (const deadline = Date.now() + 5000; !is();) {
    if (Date.now() > deadline) throw new Error(`${what}: not there after 5 s`)
    await new Promise(resolve => setTimeout(resolve, 2))
  }
}
