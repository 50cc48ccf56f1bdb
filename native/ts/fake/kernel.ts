/**
 * A recording fake kernel for unit tests on Node: just enough of files, byte channels, processes and
 * mounts that our code runs against it, and a ledger of what is still open so that a test can see a leak.
 */
import { E } from '../errno.ts'
import { EPOLLHUP, EPOLLIN, EPOLLOUT } from '../constants/epoll.ts'

/** One direction of a pipe or socket pair. */
export interface Channel {
  bytes: number[]
  writerOpen: boolean
  readerOpen: boolean
}

export interface OpenFile {
  what: string
  reads?: Channel
  writes?: Channel
  path?: string
  position: number
}

export interface Call {
  name: string
  args: readonly unknown[]
}

type Stub = (...args: never[]) => unknown
type Node = { kind: 'file'; bytes: Uint8Array; mode: number } | { kind: 'directory'; mode: number }
  | { kind: 'link'; target: string } | { kind: 'device'; mode: number; major: number; minor: number } | { kind: 'socket' }

const utf8 = new TextEncoder()

export class FakeKernel {
  calls: Call[] = []
  nodes = new Map<string, Node>()
  fds = new Map<number, OpenFile>()
  watches = new Map<number, { events: number; callback: (events: number) => void }>()
  timers = new Map<number, ReturnType<typeof setTimeout>>()
  mounts: { source: string | null; target: string; fstype: string | null; flags: number; data: string | null }[] = []
  processes = new Map<number, { pidfd: number; exit?: { code: number; status: number } }>()
  argv: string[] = ['test']
  environ: string[] = []
  #stubs = new Map<string, Stub>()
  #failures = new Map<string, { errno: number; after: number }>()
  #nextFd = 100
  #nextPid = 1000
  #nextTimer = 1
  #pollQueued = false

  /** Forgets everything: call before each test. */
  reset(): void {
    for (const timer of this.timers.values()) clearTimeout(timer)
    this.calls = []
    this.nodes = new Map([['/', { kind: 'directory', mode: 0o755 }]])
    this.fds.clear()
    this.watches.clear()
    this.timers.clear()
    this.mounts = []
    this.processes.clear()
    this.argv = ['test']
    this.environ = []
    this.#stubs.clear()
    this.#failures.clear()
  }

  /** The next call of `name` (after `after` successful ones) gives -errno, once. */
  fail(name: string, errno: number, after = 0): void {
    this.#failures.set(name, { errno, after })
  }

  /** Replaces a call's behaviour until reset. */
  onCall(name: string, stub: Stub): void {
    this.#stubs.set(name, stub)
  }

  /** Names of the calls made, in order. */
  names(): string[] {
    return this.calls.map(call => call.name)
  }

  callsOf(name: string): readonly unknown[][] {
    return this.calls.filter(call => call.name === name).map(call => [...call.args])
  }

  /** What is still held: for leak assertions. */
  held(): { fds: string[]; mounts: string[]; processes: number[]; watches: number[] } {
    return {
      fds: [...this.fds.values()].map(file => file.what),
      mounts: this.mounts.map(mount => mount.target),
      processes: [...this.processes.keys()],
      watches: [...this.watches.keys()],
    }
  }

  /** Records a call, applies a planned failure or a stub, else runs the default. */
  call<T>(name: string, args: readonly unknown[], run: () => T): T {
    this.calls.push({ name, args })
    const failure = this.#failures.get(name)
    if (failure && failure.after-- === 0) {
      this.#failures.delete(name)
      return -failure.errno as T // the contract: a negative errno in place of data
    }
    const stub = this.#stubs.get(name)
    return stub ? stub(...args as never[]) as T : run()
  }

  // ── files ──
  put(path: string, text: string | Uint8Array, mode = 0o644): void {
    this.makeParents(path)
    this.nodes.set(path, { kind: 'file', bytes: typeof text === 'string' ? utf8.encode(text) : text, mode })
  }

  text(path: string): string | undefined {
    const node = this.nodes.get(path)
    return node?.kind === 'file' ? new TextDecoder().decode(node.bytes) : undefined
  }

  makeParents(path: string): void {
    for (let at = parentOf(path); at !== '/' && !this.nodes.has(at); at = parentOf(at)) this.nodes.set(at, { kind: 'directory', mode: 0o755 })
  }

  /** A path as the caller means it, under an opened directory where it is relative. */
  resolve(dirfd: number, path: string): string {
    const base = path.startsWith('/') ? '' : this.fds.get(dirfd)?.path ?? ''
    const joined = path === '' || path === '.' ? base : `${base}/${path}`
    return joined.replace(/\/+/g, '/').replace(/(.)\/$/, '$1') || '/'
  }

  childrenOf(path: string): string[] {
    const prefix = path === '/' ? '/' : `${path}/`
    return [...this.nodes.keys()].filter(name => name !== '/' && name.startsWith(prefix) && !name.slice(prefix.length).includes('/'))
  }

  // ── descriptors ──
  install(file: OpenFile): number {
    const number = this.#nextFd++
    this.fds.set(number, file)
    return number
  }

  closeFd(number: number): number {
    const file = this.fds.get(number)
    if (!file) return -E.EBADF
    this.fds.delete(number)
    this.watches.delete(number)
    const still = [...this.fds.values()]
    if (file.writes && !still.some(other => other.writes === file.writes)) file.writes.writerOpen = false
    if (file.reads && !still.some(other => other.reads === file.reads)) file.reads.readerOpen = false
    this.poll()
    return 0
  }

  channel(): Channel {
    return { bytes: [], writerOpen: true, readerOpen: true }
  }

  readFd(number: number, buffer: Uint8Array, offset: number, length: number): number {
    const file = this.fds.get(number)
    if (!file) return -E.EBADF
    if (file.reads) {
      if (file.reads.bytes.length === 0) return file.reads.writerOpen ? -E.EAGAIN : 0
      const got = file.reads.bytes.splice(0, length)
      buffer.set(got, offset)
      this.poll()
      return got.length
    }
    const node = file.path === undefined ? undefined : this.nodes.get(file.path)
    if (node?.kind !== 'file') return 0
    const part = node.bytes.subarray(file.position, file.position + length)
    buffer.set(part, offset)
    file.position += part.length
    return part.length
  }

  writeFd(number: number, buffer: Uint8Array, offset: number, length: number): number {
    const file = this.fds.get(number)
    if (!file) return -E.EBADF
    const part = buffer.subarray(offset, offset + length)
    if (file.writes) {
      if (!file.writes.readerOpen) return -E.EPIPE
      for (const byte of part) file.writes.bytes.push(byte)
      this.poll()
    } else if (file.path !== undefined) {
      const node = this.nodes.get(file.path)
      const before = node?.kind === 'file' ? node.bytes : new Uint8Array(0)
      const after = new Uint8Array(before.length + part.length)
      after.set(before)
      after.set(part, before.length)
      this.nodes.set(file.path, { kind: 'file', bytes: after, mode: 0o644 })
    }
    return part.length
  }

  // ── loop ──
  /** Delivers events by hand to whoever watches `fd`. */
  ready(fd: number, events: number): void {
    this.watches.get(fd)?.callback(events)
  }

  /** Looks at all watched channels in the next turn of Node's loop, as epoll would. */
  poll(): void {
    if (this.#pollQueued) return
    this.#pollQueued = true
    setImmediate(() => {
      this.#pollQueued = false
      for (const [fd, watch] of [...this.watches]) {
        const events = this.#readiness(fd) & (watch.events | EPOLLHUP)
        if (events && this.watches.get(fd) === watch) {
          watch.callback(events)
          this.poll()
        }
      }
    })
  }

  #readiness(fd: number): number {
    const file = this.fds.get(fd)
    let events = 0
    if (file?.reads && (file.reads.bytes.length > 0 || !file.reads.writerOpen)) events |= EPOLLIN
    if (file?.reads && !file.reads.writerOpen && file.reads.bytes.length === 0) events |= EPOLLHUP
    if (file?.writes) events |= EPOLLOUT
    const process = [...this.processes.values()].find(candidate => candidate.pidfd === fd)
    if (process?.exit) events |= EPOLLIN
    return events
  }

  startTimer(delayMs: number, callback: () => void): number {
    const id = this.#nextTimer++
    this.timers.set(id, setTimeout(() => { this.timers.delete(id); callback() }, delayMs))
    return id
  }

  stopTimer(id: number): void {
    clearTimeout(this.timers.get(id))
    this.timers.delete(id)
  }

  // ── processes ──
  addProcess(): { pid: number; pidfd: number } {
    const pid = this.#nextPid++
    const pidfd = this.install({ what: `pidfd ${pid}`, position: 0 })
    this.processes.set(pid, { pidfd })
    return { pid, pidfd }
  }

  /** Lets a process of the fake end; its pidfd becomes readable. CLD_EXITED 1, CLD_KILLED 2. */
  exitProcess(pid: number, status: number, code = 1): void {
    const process = this.processes.get(pid)
    if (process) process.exit = { code, status }
    this.poll()
  }

  byPidfd(pidfd: number): number | undefined {
    return [...this.processes].find(([, process]) => process.pidfd === pidfd)?.[0]
  }
}

export function parentOf(path: string): string {
  return path.replace(/\/[^/]*$/, '') || '/'
}
