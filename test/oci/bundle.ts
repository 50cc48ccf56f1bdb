/** A bundle for one case: a busybox root file system and a spec that the case changes. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { closeSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Spec } from '../../protocol/oci/spec.ts'
import { invoke, type Ran, type Runtime } from './runtimes.ts'

const busybox = '/usr/bin/busybox'

/** Stands for the bundle's directory in a spec: the directory has its name when the bundle is made. */
export const bundleDirectory = '@BUNDLE@'

/** Applets that the cases use; each a symlink, as in an image. */
const applets = [
  'sh', 'cat', 'ls', 'id', 'env', 'echo', 'true', 'false', 'sleep', 'hostname', 'dnsdomainname', 'grep', 'sed', 'awk', 'mkdir', 'touch', 'rm', 'stat', 'mount', 'umount',
  'ps', 'pwd', 'tty', 'stty', 'test', 'uname', 'head', 'tail', 'wc', 'sort', 'cut', 'readlink', 'mknod', 'dd', 'chmod', 'chown', 'ip', 'kill', 'trap', 'find', 'ping', 'nice', 'renice', 'ionice', 'arch', 'usleep', 'chroot',
]

export function makeRootfs(directory: string): void {
  for (const name of ['bin', 'etc', 'proc', 'sys', 'dev', 'tmp', 'root', 'run', 'var']) mkdirSync(join(directory, name), { recursive: true })
  copyFileSync(busybox, join(directory, 'bin/busybox'))
  for (const applet of applets) symlinkSync('busybox', join(directory, 'bin', applet))
  writeFileSync(join(directory, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n')
  writeFileSync(join(directory, 'etc/group'), 'root:x:0:\nuser:x:1000:\n')
}

/** What containerd would write, without the parts that depend on the host. */
export function baseSpec(args: string[]): Spec & Required<Pick<Spec, 'root' | 'process' | 'linux' | 'mounts'>> {
  const capabilities = ['CAP_CHOWN', 'CAP_DAC_OVERRIDE', 'CAP_FOWNER', 'CAP_KILL', 'CAP_MKNOD', 'CAP_NET_BIND_SERVICE', 'CAP_SETGID', 'CAP_SETUID', 'CAP_SYS_CHROOT', 'CAP_AUDIT_WRITE']
  return {
    ociVersion: '1.0.2',
    root: { path: 'rootfs' },
    hostname: 'case',
    process: {
      user: { uid: 0, gid: 0 }, args, cwd: '/', env: ['PATH=/bin', 'TERM=xterm'], noNewPrivileges: true,
      capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
    },
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
      { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'] },
      { destination: '/dev/pts', type: 'devpts', source: 'devpts', options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'] },
      { destination: '/dev/shm', type: 'tmpfs', source: 'shm', options: ['nosuid', 'noexec', 'nodev', 'mode=1777', 'size=65536k'] },
      { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: ['nosuid', 'noexec', 'nodev'] },
      { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['nosuid', 'noexec', 'nodev', 'ro'] },
    ],
    linux: {
      namespaces: [{ type: 'pid' }, { type: 'ipc' }, { type: 'uts' }, { type: 'mount' }, { type: 'network' }],
      resources: { devices: [{ allow: false, access: 'rwm' }] },
      maskedPaths: ['/proc/acpi', '/proc/kcore', '/proc/keys', '/proc/timer_list', '/sys/firmware'],
      readonlyPaths: ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'],
    },
  }
}

let counter = 0

export type Change = (spec: ReturnType<typeof baseSpec>) => void

/** One bundle with its state root; disposed of, it deletes what is left of its container. */
export class Bundle {
  readonly directory = mkdtempSync(join(tmpdir(), 'kata-ts-oci-case-'))
  readonly rootfs = join(this.directory, 'rootfs')
  readonly stateRoot = join(this.directory, 'state')
  readonly id = `case-${process.pid}-${++counter}`
  readonly cgroupsPath = `/kata-ts-oci-${this.id}`
  readonly #children: ChildProcess[] = []

  constructor(readonly runtime: Runtime, args: string[], change: Change = () => undefined) {
    makeRootfs(this.rootfs)
    const spec = baseSpec(args)
    spec.linux.cgroupsPath = this.cgroupsPath
    change(spec)
    writeFileSync(join(this.directory, 'config.json'), JSON.stringify(spec, undefined, 1).replaceAll(bundleDirectory, this.directory))
  }

  invoke(args: readonly string[], input = ''): Ran {
    return invoke(this.runtime, this.stateRoot, args, input)
  }

  run(input = ''): Ran {
    return this.invoke(['run', '--bundle', this.directory, this.id], input)
  }

  /** create with output to a file, as a container that lives on would hold a pipe open. */
  create(extra: string[] = []): Ran {
    const [program = '', ...first] = this.runtime.command
    // An empty file and not /dev/null, which some runtimes give to the container's user, on the host too.
    const input = openSync(join(this.directory, 'input'), 'a+')
    const output = openSync(this.outputPath, 'a')
    const errors = openSync(this.errorPath, 'a')
    try {
      execFileSync(program, [...first, '--root', this.stateRoot, 'create', '--bundle', this.directory, '--pid-file', join(this.directory, 'pid'), ...extra, this.id], { stdio: [input, output, errors], timeout: 15_000, killSignal: 'SIGKILL' })
      return { status: 0, stdout: '', stderr: this.errors }
    } catch (error) {
      return { status: (error as { status?: number }).status ?? 128, stdout: this.output, stderr: this.errors } // execFileSync throws with a status
    } finally {
      closeSync(input)
      closeSync(output)
      closeSync(errors)
    }
  }

  start(): Ran {
    return this.invoke(['start', this.id])
  }

  /** Creates and starts a container that goes on running. */
  up(extra: string[] = []): void {
    const created = this.create(extra)
    if (created.status !== 0) throw new Error(`create: ${created.stderr}`)
    const started = this.start()
    if (started.status !== 0) throw new Error(`start: ${started.stderr}`)
  }

  exec(command: string[], options: string[] = []): Ran {
    return this.invoke(['exec', ...options, this.id, ...command])
  }

  get status(): string {
    const { status, stdout } = this.invoke(['state', this.id])
    return status === 0 ? (JSON.parse(stdout) as { status: string }).status : 'gone'
  }

  get outputPath(): string {
    return join(this.directory, 'output')
  }

  get errorPath(): string {
    return join(this.directory, 'errors')
  }

  get output(): string {
    return existsSync(this.outputPath) ? readFileSync(this.outputPath, 'utf8') : ''
  }

  get errors(): string {
    return existsSync(this.errorPath) ? readFileSync(this.errorPath, 'utf8') : ''
  }

  get pid(): number {
    return Number(readFileSync(join(this.directory, 'pid'), 'utf8'))
  }

  /** Starts a program that the case needs beside it; ended with the case. */
  spawn(program: string, args: string[]): ChildProcess {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    this.#children.push(child)
    return child
  }

  /** Mounts, cgroups, state and processes that carry the case's name, on the host. */
  leftovers(): string[] {
    const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n').filter(line => line.includes(this.directory))
    const cgroups = readdirSync('/sys/fs/cgroup').map(name => `/sys/fs/cgroup/${name}${this.cgroupsPath}`).filter(path => existsSync(path))
    const state = existsSync(this.stateRoot) ? readdirSync(this.stateRoot) : []
    return [...mounts, ...cgroups, ...state]
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children) child.kill('SIGKILL')
    this.invoke(['delete', '--force', this.id])
    rmSync(this.directory, { recursive: true, force: true })
  }
}

/** Waits for a condition that the kernel or a runtime brings about, without a fixed sleep. */
export async function until(what: string, condition: () => boolean, limitMs = 5000): Promise<void> {
  const deadline = Date.now() + limitMs
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`${what}: did not happen within ${limitMs} ms`)
    await new Promise(resolve => setTimeout(resolve, 5))
  }
}

/** The value after `key:` or `key=` in lines of text. */
export function field(text: string, key: string): string | undefined {
  return new RegExp(`^${key}[:=]\\s*(.*)$`, 'm').exec(text)?.[1]
}

export interface MountLine {
  point: string
  options: string[]
  optional: string[]
  type: string
  superOptions: string[]
  root: string
}

/** Parses /proc/self/mountinfo (proc(5)). */
export function mountinfo(text: string): MountLine[] {
  return text.split('\n').filter(line => / - /.test(line)).map(line => {
    const [left = '', right = ''] = line.split(' - ')
    const [, , , root = '', point = '', options = '', ...optional] = left.split(' ')
    const [type = '', , superOptions = ''] = right.split(' ')
    return { point, root, options: options.split(','), optional, type, superOptions: superOptions.split(',') }
  })
}
