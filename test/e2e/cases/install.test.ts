/** hack/install into a prefix: a containerd that knows nothing of this checkout runs a container, and nothing is left after --uninstall. */
import { spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { tmpdir } from 'node:os'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { chosenVersions } from '../matrix.ts'
import { busybox, checkout, isAlive, run, Stack, whyNoKataTs } from '../stack.ts'
import type { CommandResult, ContainerdVersion } from '../stack.ts'

/** Every file below a directory with its content: what an uninstall has to bring back. */
function contents(directory: string): Record<string, string> {
  return Object.fromEntries(readdirSync(directory, { recursive: true, withFileTypes: true })
    .map((entry): [string, string] => {
      const path = join(entry.parentPath, entry.name)
      return [path, entry.isFile() ? readFileSync(path, 'latin1') : entry.isSymbolicLink() ? readlinkSync(path) : '/']
    }).sort())
}

class Node {
  readonly #containerd: string
  readonly root: string
  constructor(version: ContainerdVersion) {
    const stack = Stack.open(version)
    stack.client.close()
    this.#containerd = readlinkSync(`/proc/${stack.containerdPid}/exe`)
    this.root = mkdtempSync(join(tmpdir(), 'node-install-'))
    onTestFinished(() => rmSync(this.root, { recursive: true }))
    chmodSync(this.root, 0o755) // the VMM's own user starts QEMU from below it
    mkdirSync(`${this.root}/bin`)
    mkdirSync(`${this.root}/etc`)
    // A handler and a setting of the node's own, which have to survive.
    const plugin = version === '1.6' ? 'io.containerd.grpc.v1.cri' : 'io.containerd.cri.v1.runtime'
    writeFileSync(`${this.root}/etc/config.toml`, `version = ${version === '1.6' ? 2 : 3}
root = "${this.root}/root"
state = "${this.root}/state"
[grpc]
  address = "${this.root}/sock"
[plugins."${plugin}".containerd]
  default_runtime_name = "own"
[plugins."${plugin}".containerd.runtimes.own]
  runtime_type = "io.containerd.runc.v2"
`)
  }

  /** deploy/install.sh with a tree that is made already, as the DaemonSet has it. */
  script(...verb: readonly string[]): Promise<CommandResult> {
    return run('env', [`PREFIX=${this.root}/opt`, `BIN_DIR=${this.root}/bin`, `CONTAINERD=${this.#containerd}`, `CONTAINERD_CONFIG=${this.root}/etc/config.toml`, 'RESTART=',
      'sh', `${checkout}/deploy/install.sh`, ...verb])
  }
  install(...more: readonly string[]): Promise<CommandResult> {
    return run(`${checkout}/hack/install`, ['--prefix', `${this.root}/opt`, '--bin-dir', `${this.root}/bin`, '--containerd', this.#containerd,
      '--containerd-config', `${this.root}/etc/config.toml`, '--no-restart', ...more])
  }
  async dump(): Promise<string> { return (await run(this.#containerd, ['--config', `${this.root}/etc/config.toml`, 'config', 'dump'])).text }

  /** The daemon with nothing of this checkout in its environment, in namespaces of its own. */
  async start(): Promise<number> {
    const daemon = spawn('unshare', ['--mount', '--net', '--propagation', 'slave', 'sh', '-c',
      'mount -t tmpfs node /run/containerd; mkdir -p /run/kata-ts; mount -t tmpfs node /run/kata-ts; exec "$0" --config "$1"', this.#containerd, `${this.root}/etc/config.toml`],
    { stdio: 'ignore', env: { PATH: `${this.root}/bin:${dirname(this.#containerd)}:/usr/sbin:/usr/bin:/sbin:/bin` } })
    const pid = daemon.pid ?? 0
    onTestFinished(async () => {
      daemon.kill('SIGKILL')
      while (isAlive(pid)) await new Promise((resolve) => setTimeout(resolve, 20))
    })
    while ((await this.ctr(pid, 'version')).code !== 0) {
      if (!isAlive(pid)) throw new Error('containerd ended')
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    return pid
  }
  ctr(pid: number, ...args: readonly string[]): Promise<CommandResult> {
    return run('nsenter', ['--target', String(pid), '--mount', '--net', '--', `${dirname(this.#containerd)}/ctr`, '--address', `${this.root}/sock`, ...args])
  }
}

for (const version of chosenVersions()) describe.skipIf(whyNoKataTs() !== undefined)(`hack/install on containerd ${version}`, () => {
  let [archive, tree] = ['', '']
  beforeAll(async () => {
    const directory = mkdtempSync(join(tmpdir(), 'kata-ts-archive-'))
    archive = `${directory}/busybox.tar`
    tree = `${directory}/tree`
    const stack = Stack.open(version)
    expect((await stack.ctr(['image', 'export', archive, busybox])).stderr).toBe('')
    stack.client.close()
    expect(await run(`${checkout}/hack/install`, ['--tree', tree])).toMatchObject({ code: 0 })
    return () => rmSync(directory, { recursive: true })
  })

  it('runs a container from the prefix alone, keeps the node\'s own handlers, and leaves nothing', async () => {
    const node = new Node(version)
    const [before, dumped] = [contents(node.root), await node.dump()]
    // On one of them with its own QEMU and virtiofsd, as on a node that has none.
    const { code, stderr } = await node.install(...(version === '1.6' ? [] : ['--self-contained']))
    expect({ code, stderr }).toMatchObject({ code: 0 })
    expect(stderr).toContain("containerd's effective configuration has the handler kata-ts")
    expect(await node.dump()).toMatch(/runtimes\.own\]/)
    const daemon = await node.start()
    expect((await node.ctr(daemon, 'image', 'import', archive)).code).toBe(0)
    const ran = await node.ctr(daemon, 'run', '--rm', '--runtime', 'io.containerd.kata-ts.v2', busybox, 'installed', 'sh', '-c', 'uname -r; exit 6')
    expect({ code: ran.code, stderr: ran.stderr }).toEqual({ code: 6, stderr: '' })
    expect(ran.text).toContain('kata-ts')
    process.kill(daemon, 'SIGKILL')
    expect(await node.install('--uninstall')).toMatchObject({ code: 0 })
    rmSync(`${node.root}/root`, { recursive: true })
    rmSync(`${node.root}/state`, { recursive: true })
    rmSync(`${node.root}/sock`)
    rmSync(`${node.root}/sock.ttrpc`, { force: true })
    expect(contents(node.root)).toEqual(before)
    expect(await node.dump()).toBe(dumped)
  })

  it('installs again over itself, and undoes an install that fails on the way', async () => {
    const node = new Node(version)
    const before = contents(node.root)
    for (const _again of [1, 2]) expect(await node.script('install', tree)).toMatchObject({ code: 0 })
    expect(await node.script('verify')).toMatchObject({ code: 0 })
    expect(await node.script('uninstall')).toMatchObject({ code: 0 })
    expect(contents(node.root)).toEqual(before)
    // A program of the same name that is not ours is not replaced.
    writeFileSync(`${node.root}/bin/kata-ts`, 'another')
    const { code, stderr } = await node.script('install', tree)
    expect({ code, stderr }).toMatchObject({ code: 1 })
    expect(stderr).toContain('exists and is no link')
    expect(existsSync(`${node.root}/opt`)).toBe(false)
    rmSync(`${node.root}/bin/kata-ts`)
    expect(contents(node.root)).toEqual(before)
  })

  it('notices that another drop-in undoes the handler, and takes what others changed for theirs', async () => {
    const node = new Node(version)
    const config = `${node.root}/etc/config.toml`
    expect(await node.script('install', tree)).toMatchObject({ code: 0 })
    const installed = readFileSync(config, 'utf8')
    writeFileSync(config, `${installed}[debug]\n  level = "warn"\n`)
    expect(await node.script('verify')).toMatchObject({ code: 0 })
    const other = version === '1.6' ? config : `${node.root}/etc/conf.d/kata-ts.toml`
    writeFileSync(other, readFileSync(other, 'utf8').replace('/opt/bin/', '/another/'))
    expect(await node.script('verify')).toMatchObject({ code: 1 })
    expect(await node.script('uninstall')).toMatchObject({ code: 0 })
    expect(readFileSync(config, 'utf8')).toMatch(/\[debug\]\n {2}level = "warn"\n$/)
    expect(readFileSync(config, 'utf8')).not.toContain('kata-ts')
  })
})
