import * as sys from 'native:sys'
import { exitText, spawn, type Child, type Exit } from '../../native/ts/child.ts'
import { EPOLLIN } from '../../native/ts/constants/epoll.ts'
import { AT_FDCWD, F_SETFL, O_NONBLOCK, X_OK } from '../../native/ts/constants/fcntl.ts'
import { PR_SET_NO_NEW_PRIVS, PR_SET_SECUREBITS } from '../../native/ts/constants/prctl.ts'
import { SIGKILL } from '../../native/ts/constants/signal.ts'
import { P_PID, WEXITED } from '../../native/ts/constants/wait.ts'
import { check, SysError } from '../../native/ts/errno.ts'
import { Fault } from '../../native/ts/fault.ts'
import { Fd, pipe } from '../../native/ts/fd.ts'
import { enterCgroup } from '../../native/ts/enter-cgroup.ts'
import type { Journal } from '../journal.ts'
import { confine, type Confinement, confinementNamespaces } from './confinement/confine.ts'
import { dropPrivileges, requireParent, type Privileges } from './privileges.ts'
import { TextTail } from './text-tail.ts'

/** A program as the configuration names it. */
export interface ProgramKey {
  name: string
  /** The key that names it, for errors: `share.virtiofsd`. */
  key: string
  /** What it is to us, shown where its name does not say so. */
  role: string
}

export interface DaemonOptions {
  program: ProgramKey
  /** Without argv[0]. */
  args: string[]
  /** Descriptors (borrowed) that it finds under 3, 4, …. */
  pass?: number[]
  cwd?: string
  /** CLONE_NEW* flags. */
  namespaces?: number
  /** Whom it runs as; otherwise as the shim does, with its capabilities. */
  privileges?: Privileges
  /** Directories of cgroupfs that it moves to. */
  cgroups?: readonly string[]
  /** What it is shut into, in place of `cwd`, `namespaces` and `privileges`. Its root holds the program. */
  confinement?: Confinement | undefined
  /** SECBIT_* (capabilities(7)) that it begins with. */
  secureBits?: number
  /** Runs in its process just before execve, in place of giving up the gain of privileges. Synchronous. */
  prepare?: () => void
  journal?: Journal | undefined
}

/**
 * A process that serves one sandbox: the VMM, virtiofsd, the vsock daemon. It dies with the shim (PR_SET_PDEATHSIG),
 * gains no privileges by execve, has /dev/null for input, and one pipe for stdout and stderr, whose tail is kept.
 */
export class Daemon {
  readonly name: string
  readonly pid: number
  /** Resolves once it is dead and reaped, and its last words are read. Rejects when its end cannot be waited for; it is dead then, too. */
  readonly exited: Promise<Exit>
  readonly #child: Child
  readonly #output: Fd
  readonly #tail = new TextTail()

  /** Starts it. Throws Fault when the program is not there, SysError when it cannot be started. */
  constructor({ program, args, pass, cwd, namespaces, privileges, cgroups = [], confinement, secureBits, prepare, journal }: DaemonOptions) {
    const path = findProgram(program)
    const file = path.slice(path.lastIndexOf('/') + 1)
    this.name = file.includes(program.role) ? file : `${program.role} (${path})`
    const shim = sys.getpid()
    using shimItself = confinement && new Fd(check('pidfd_open', 'shim', sys.pidfdOpen(shim, 0)), 'pidfd of the shim')
    const { reader, writer } = pipe(`output of ${this.name}`)
    try {
      this.#child = spawn({
        path,
        // Without a /proc, where it is tells a program what lies beside it.
        argv: [confinement ? path : file, ...args],
        env: ['PATH=/usr/sbin:/usr/bin:/sbin:/bin', 'LC_ALL=C'],
        stdio: ['null', writer.number, writer.number],
        parentDeathSignal: SIGKILL,
        beforeExec: prepare ?? (() => {
          if (secureBits !== undefined) check('prctl', 'PR_SET_SECUREBITS', sys.prctl(PR_SET_SECUREBITS, secureBits, 0, 0, 0))
          // While it sees the host's cgroupfs, and may write there.
          for (const directory of cgroups) enterCgroup(directory)
          if (confinement && shimItself) return confine(confinement, shimItself.number, cwd)
          check('prctl', 'PR_SET_NO_NEW_PRIVS', sys.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
          if (!privileges) return
          dropPrivileges(privileges)
          requireParent(shim)
        }),
        ...(pass && { pass }),
        ...(cwd !== undefined && !confinement && { cwd }),
        ...((confinement ?? namespaces) !== undefined && { namespaces: confinement ? confinementNamespaces : namespaces ?? 0 }),
      })
    } catch (error) {
      reader.close()
      if (confinement && error instanceof SysError && error.call !== 'execve') throw cannotConfine(this.name, error)
      throw error
    } finally {
      writer.close()
    }
    this.pid = this.#child.pid
    this.#output = reader
    try {
      this.#listen()
    } catch (error) {
      this.#child[Symbol.dispose]()
      reader.close()
      throw error
    }
    this.exited = this.#child.wait().finally(() => {
      this.#drain()
      this.#closeOutput()
    })
    // A process whose end would go unnoticed must not stay. Who waits for it is told the reason.
    this.exited.catch(() => this.#reapNow())
    // A pid that cannot be noted is no reason to fail: it dies with the shim, the journal only lets `delete` wait for that.
    try {
      journal?.recordProcess(this.pid)
    } catch {}
  }

  get exit(): Exit | undefined {
    return this.#child.exit
  }

  /** Kills it with SIGKILL and waits until it is reaped. Idempotent. */
  async stop(): Promise<void> {
    this.kill(SIGKILL)
    await this.exited.catch(() => {})
  }

  kill(signal: number): void {
    this.#child.kill(signal)
  }

  /** `virtiofsd was killed by SIGKILL (pid 12)`; `… runs (pid 12)`. */
  status(): string {
    return this.exit ? `${this.name} ${exitText(this.exit)}` : `${this.name} runs (pid ${this.pid})`
  }

  /** The first and last lines of what it printed last; empty when it printed nothing. */
  lastWords(lines = 4): string {
    return this.#tail.ends(lines)
  }

  #reapNow(): void {
    this.kill(SIGKILL)
    sys.waitid(P_PID, this.pid, WEXITED)
    this.#child.pidfd.close()
  }

  #listen(): void {
    // Non-blocking on our end alone would need an open file description of its own: each event reads once, which cannot block.
    check('epoll_ctl', this.#output.what, sys.watch(this.#output.number, EPOLLIN, () => {
      if (this.#read() <= 0) this.#closeOutput()
    }))
    sys.unref(this.#output.number)
  }

  #read(): number {
    const buffer = new Uint8Array(4096)
    const got = sys.read(this.#output.number, buffer, 0, buffer.length)
    if (got > 0) this.#tail.push(buffer.subarray(0, got))
    return got
  }

  /** What is still in the pipe after its death; a grandchild may hold the other end, so only what is there now. */
  #drain(): void {
    if (!this.#output.open) return
    sys.fcntl(this.#output.number, F_SETFL, O_NONBLOCK)
    for (let turns = 0; turns < 32 && this.#read() > 0; turns++);
  }

  #closeOutput(): void {
    if (!this.#output.open) return
    sys.unwatch(this.#output.number)
    this.#output.close()
  }
}

/** A host that lacks a piece of it: a kernel without one of the namespaces, or a container that may not make them. */
function cannotConfine(name: string, cause: unknown): Fault {
  return new Fault(`${name} cannot be shut into namespaces and a root directory of its own`, { cause, fix: 'mend that on the host, or set hypervisor.confinement = false to run it without' })
}

/** Where a program is looked for that is named without a path: beside the shim (one directory holds what belongs together), then PATH. */
export function findProgram({ name, key }: Omit<ProgramKey, 'role'>): string {
  if (name.startsWith('/')) {
    if (isExecutable(name)) return name
    throw new Fault(`${name} does not exist or is not executable`, { fix: `install it, or set ${key} in the configuration` })
  }
  const self = sys.readlinkat(AT_FDCWD, '/proc/self/exe')
  const beside = typeof self === 'string' ? [self.slice(0, self.lastIndexOf('/'))] : []
  const path = sys.environ().find(entry => entry.startsWith('PATH='))?.slice('PATH='.length) ?? ''
  // containerd may run with a short PATH: the usual places are looked at in every case.
  for (const directory of [...beside, ...path.split(':'), '/usr/libexec', '/usr/local/bin', '/usr/bin']) {
    if (directory.startsWith('/') && isExecutable(`${directory}/${name}`)) return `${directory}/${name}`
  }
  throw new Fault(`${name} is not installed`, { fix: `install it, or set ${key} in the configuration to its path` })
}

function isExecutable(path: string): boolean {
  return sys.faccessat(AT_FDCWD, path, X_OK, 0) === 0
}
