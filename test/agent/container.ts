/** Containers and processes in a test's guest, with their streams at this end. */
import { once } from 'node:events'
import type { Socket } from 'node:net'
import type { Spec } from '../../protocol/oci/spec.ts'
import type { AgentEnd } from './agent-end.ts'

const encode = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value))

const capabilities = ['CAP_CHOWN', 'CAP_KILL', 'CAP_SETUID', 'CAP_SETGID', 'CAP_NET_RAW', 'CAP_SYS_CHROOT', 'CAP_MKNOD']

export function processOf(args: readonly string[], terminal = false) {
  return {
    args: [...args], terminal, cwd: '/', user: { uid: 0, gid: 0 }, env: ['PATH=/bin', 'TERM=xterm'], noNewPrivileges: true,
    capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
  }
}

/** A config.json as the shim sends it. */
export function specOf(rootfs: string, args: readonly string[], terminal = false, resources: object = {}) {
  return {
    ociVersion: '1.1.0', process: processOf(args, terminal), root: { path: rootfs }, hostname: 'inside',
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
      { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'mode=755', 'size=65536k'] },
      { destination: '/dev/pts', type: 'devpts', source: 'devpts', options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'] },
      { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['nosuid', 'noexec', 'nodev', 'ro'] },
      { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options: ['nosuid', 'noexec', 'nodev', 'relatime', 'ro'] },
    ],
    linux: { namespaces: (['pid', 'ipc', 'uts', 'mount', 'cgroup'] as const).map(type => ({ type })), resources },
  }
}

export interface Ended {
  status: number
  stdout: Buffer
  stderr: Buffer
}

let lastStream = 0n

/** The three streams of a process (two with a terminal), as the shim holds them. */
export class Streams {
  readonly #chunks = { stdout: [] as Buffer[], stderr: [] as Buffer[] }
  readonly #got = { stdout: 0, stderr: 0 }
  sent = 0n

  private constructor(readonly guest: AgentEnd, readonly ids: { stdin: bigint; stdout: bigint; stderr: bigint }, readonly sockets: { stdin?: Socket; stdout: Socket; stderr?: Socket }, readonly terminal: boolean) {
    this.#collect('stdout', sockets.stdout)
    if (sockets.stderr) this.#collect('stderr', sockets.stderr)
  }

  static async open(guest: AgentEnd, { stdin = false, terminal = false } = {}): Promise<Streams> {
    const ids = { stdin: stdin ? ++lastStream : 0n, stdout: ++lastStream, stderr: terminal ? 0n : ++lastStream }
    const open = (id: bigint): Promise<Socket | undefined> => id === 0n ? Promise.resolve(undefined) : guest.stream(id)
    const [input, output, errors] = await Promise.all([open(ids.stdin), guest.stream(ids.stdout), open(ids.stderr)])
    return new Streams(guest, ids, { ...(input ? { stdin: input } : {}), stdout: output, ...(errors ? { stderr: errors } : {}) }, terminal)
  }

  get request() {
    return { stdinStream: this.ids.stdin, stdoutStream: this.ids.stdout, stderrStream: this.ids.stderr, terminal: this.terminal, width: 80, height: 24 }
  }

  text(name: 'stdout' | 'stderr'): string {
    return Buffer.concat(this.#chunks[name]).toString('latin1')
  }

  async write(bytes: Buffer): Promise<void> {
    const { stdin } = this.sockets
    this.sent += BigInt(bytes.length)
    if (stdin && !stdin.write(bytes)) await once(stdin, 'drain')
  }

  /** Resolves when every announced byte is here; then closes, the host first. */
  async drained(): Promise<{ stdout: Buffer; stderr: Buffer }> {
    await this.#end('stdout')
    if (this.sockets.stderr) await this.#end('stderr')
    this.#close()
    return { stdout: Buffer.concat(this.#chunks.stdout), stderr: Buffer.concat(this.#chunks.stderr) }
  }

  /** Closes the streams when `start` fails: no process will. */
  async orClose(start: () => Promise<unknown>): Promise<void> {
    try {
      await start()
    } catch (error) {
      this.#close()
      throw error
    }
  }

  #close(): void {
    for (const socket of Object.values(this.sockets)) socket.destroy()
  }

  /** Until `text` came on the terminal or stdout. */
  async until(text: string): Promise<void> {
    while (!this.text('stdout').includes(text)) await once(this.sockets.stdout, 'data')
  }

  #collect(name: 'stdout' | 'stderr', socket: Socket): void {
    socket.on('data', (chunk: Buffer) => {
      this.#chunks[name].push(chunk)
      this.#got[name] += chunk.length
    })
  }

  async #end(name: 'stdout' | 'stderr'): Promise<void> {
    const { bytes } = await this.guest.event('streamEnd', end => end.streamId === this.ids[name])
    const socket = name === 'stdout' ? this.sockets.stdout : this.sockets.stderr
    while (socket && BigInt(this.#got[name]) < bytes) await once(socket, 'data')
    if (BigInt(this.#got[name]) !== bytes) throw new Error(`${name}: ${this.#got[name]} bytes came, ${bytes} were announced`)
  }
}

/** Creates and starts a container; `finish` waits for its exit and every byte of output, and deletes it. */
export async function run(guest: AgentEnd, id: string, args: readonly string[], options: { stdin?: boolean; terminal?: boolean; resources?: object; change?: (spec: Spec) => void; pid?: { podPidNamespace?: true; targetContainerId?: string } } = {}) {
  const streams = await Streams.open(guest, options)
  await streams.orClose(async () => {
    const spec: Spec = specOf(guest.surroundings.rootfs, args, options.terminal, options.resources)
    options.change?.(spec)
    await guest.agent.createContainer({ containerId: id, spec: encode(spec), stdio: streams.request, ...options.pid })
    await guest.agent.startContainer({ containerId: id })
  })
  const finish = async (): Promise<Ended> => {
    const exit = await guest.event('exit', value => value.containerId === id && value.execId === '')
    const output = await streams.drained()
    await guest.agent.deleteContainer({ containerId: id, force: false })
    return { status: exit.exitStatus, ...output }
  }
  return { streams, finish }
}

export async function exec(guest: AgentEnd, id: string, execId: string, args: readonly string[], options: { stdin?: boolean; terminal?: boolean } = {}) {
  const streams = await Streams.open(guest, options)
  await streams.orClose(() => guest.agent.execProcess({ containerId: id, execId, process: encode(processOf(args, options.terminal)), stdio: streams.request }))
  const finish = async (): Promise<Ended> => {
    const exit = await guest.event('exit', value => value.containerId === id && value.execId === execId)
    return { status: exit.exitStatus, ...await streams.drained() }
  }
  return { streams, finish }
}

/** Runs a shell script to its end in a container that shares the agent's pid namespace and may look at it. */
export async function runBesideAgent(guest: AgentEnd, id: string, script: string): Promise<Ended> {
  const streams = await Streams.open(guest)
  const spec = specOf(guest.surroundings.rootfs, ['sh', '-c', script])
  const { process, linux } = spec
  const trusted = {
    ...spec,
    process: { ...process, capabilities: Object.fromEntries(Object.entries(process.capabilities).map(([set, names]) => [set, [...names, 'CAP_SYS_PTRACE']])) },
    linux: { ...linux, namespaces: linux.namespaces.filter(({ type }) => type !== 'pid') },
  }
  await guest.agent.createContainer({ containerId: id, spec: encode(trusted), stdio: streams.request })
  await guest.agent.startContainer({ containerId: id })
  const { exitStatus } = await guest.event('exit', value => value.containerId === id)
  const output = await streams.drained()
  await guest.agent.deleteContainer({ containerId: id, force: false })
  return { status: exitStatus, ...output }
}

/** What the agent holds in its guest. */
export async function footprint(guest: AgentEnd, id: string): Promise<{ fds: number; mounts: number; children: number; pssKib: number }> {
  const { stdout, stderr } = await runBesideAgent(guest, id, 'ls /proc/1/fd | wc -l; wc -l < /proc/1/mountinfo; grep -l "^PPid:.1$" /proc/[0-9]*/status | wc -l; grep ^Pss: /proc/1/smaps_rollup')
  const [fds = 0, mounts = 0, children = 0, pssKib = 0] = stdout.toString().split('\n').map(line => Number(line.replace(/\D+/g, '')))
  if (pssKib === 0) throw new Error(`cannot read what the agent holds: ${stdout.toString()} ${stderr.toString()}`)
  return { fds, mounts, children, pssKib }
}
