import * as sys from 'native:sys'
import { AT_FDCWD, O_DIRECTORY, O_PATH, O_RDONLY, W_OK } from '../../../native/ts/constants/fcntl.ts'
import { CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWUTS } from '../../../native/ts/constants/sched.ts'
import { P_PID, WEXITED } from '../../../native/ts/constants/wait.ts'
import { check } from '../../../native/ts/errno.ts'
import { type Fd, open, pipe } from '../../../native/ts/fd.ts'

/** Whom it enters as. */
export interface Credentials {
  uid: number
  gid: number
  groups: readonly number[]
  /** Effective, as a bit mask. */
  capabilities: bigint
}

/** What was tried out in another process's place. */
export interface InsideView {
  /** Names in its root directory. */
  root: string[]
  /** Files and directories that it may write to, not followed into file systems of a container's files. */
  writable: string[]
  /** Pids, in its own PID namespace, that it may signal. */
  signals: number[]
  /** Of those, what it may trace. */
  traces: number[]
}

/** A root that is small has fewer entries; in the host's this is enough to see what it is. */
const maxEntries = 3_000
const maxDepth = 4
const maxAnswerBytes = 1024 * 1024
const namespaces = [['ipc', CLONE_NEWIPC], ['uts', CLONE_NEWUTS], ['net', CLONE_NEWNET], ['pid', CLONE_NEWPID], ['mnt', CLONE_NEWNS]] as const

/**
 * Enters namespaces, root directory and credentials of process `pid` in a process of its own, and tries out what can be done there. Nothing is changed:
 * access is asked for, signals are signal 0. Must be called as root of the host. Throws SysError.
 * @param pids of this host, tried out as well
 */
export function lookInside(pid: number, credentials: Credentials, pids: readonly number[]): InsideView {
  const { reader, writer } = pipe(`what process ${pid} sees`)
  using answer = reader
  const child = check('fork', `into process ${pid}`, sys.fork())
  if (child === 0) inChild(pid, credentials, pids, writer)
  writer.close()
  const chunks: number[] = []
  const buffer = new Uint8Array(64 * 1024)
  for (let got = 1; got > 0 && chunks.length < maxAnswerBytes;) {
    got = sys.read(answer.number, buffer, 0, buffer.length)
    for (let at = 0; at < got; at++) chunks.push(buffer[at] ?? 0)
  }
  sys.waitid(P_PID, child, WEXITED)
  const text = sys.utf8Decode(Uint8Array.from(chunks), 0, chunks.length)
  const value = JSON.parse(text || '{"error":"it ended without a word"}') as InsideView | { error: string } // our own child's
  if ('error' in value) throw new Error(`looking into process ${pid}: ${value.error}`)
  return value
}

/** Never comes back: a namespace of processes begins with the next fork. */
function inChild(pid: number, credentials: Credentials, pids: readonly number[], writer: Fd): never {
  const tell = (value: unknown): void => {
    const bytes = sys.utf8Encode(JSON.stringify(value))
    for (let sent = 0, wrote = 1; sent < bytes.length && wrote > 0; sent += wrote) wrote = sys.write(writer.number, bytes, sent, bytes.length - sent)
  }
  try {
    enter(pid)
    const inside = check('fork', 'in its namespaces', sys.fork())
    if (inside !== 0) {
      sys.waitid(P_PID, inside, WEXITED)
      return sys._exit(0)
    }
    become(credentials)
    tell(look(pids))
  } catch (error) {
    tell({ error: error instanceof Error ? error.message : String(error) })
  }
  return sys._exit(0)
}

function enter(pid: number): void {
  const root = open(`/proc/${pid}/root`, O_PATH | O_DIRECTORY)
  const opened = namespaces.map(([name, flag]) => ({ fd: open(`/proc/${pid}/ns/${name}`, O_RDONLY), flag }))
  for (const { fd, flag } of opened) check('setns', fd.what, sys.setns(fd.number, flag))
  check('fchdir', root.what, sys.fchdir(root.number))
  check('chroot', root.what, sys.chroot('.'))
}

function become({ uid, gid, groups, capabilities }: Credentials): void {
  check('setgroups', '', sys.setgroups([...groups]))
  check('setresgid', String(gid), sys.setresgid(gid, gid, gid))
  check('setresuid', String(uid), sys.setresuid(uid, uid, uid))
  if (uid === 0) check('capset', '', sys.capset(capabilities, capabilities, 0n))
}

/** ptrace(2), x86_64, and PTRACE_SEIZE: it ends with the tracer */
const SYS_ptrace = 101
const PTRACE_SEIZE = 0x4206

function look(pids: readonly number[]): InsideView {
  const own = [sys.getpid(), sys.getppid()]
  const candidates = [...new Set([...Array.from({ length: 300 }, (_, at) => at + 1), ...pids])].filter(pid => !own.includes(pid))
  const signals = candidates.filter(pid => sys.kill(pid, 0) === 0)
  const writable: string[] = []
  const state = { left: maxEntries }
  const root = names('/')
  if (mayWrite('/')) writable.push('/')
  walk('', 0, state, writable)
  return { root, writable, signals, traces: signals.filter(pid => sys.syscall(SYS_ptrace, PTRACE_SEIZE, pid, 0, 0) === 0) }
}

function walk(directory: string, depth: number, state: { left: number }, writable: string[]): void {
  const entries = sys.readdir(AT_FDCWD, directory || '/')
  if (typeof entries === 'number') return
  for (const { name, type } of entries) {
    if (state.left-- <= 0) return
    const path = `${directory}/${name}`
    // A symlink is what it leads to (DT_LNK, dirent.h).
    if (type !== 10 && mayWrite(path)) writable.push(path)
    if (type === 4 && depth < maxDepth && !writable.includes(path)) walk(path, depth + 1, state, writable)
  }
}

function names(directory: string): string[] {
  const entries = sys.readdir(AT_FDCWD, directory)
  return typeof entries === 'number' ? [] : entries.map(entry => entry.name).sort()
}

function mayWrite(path: string): boolean {
  return sys.faccessat(AT_FDCWD, path, W_OK, 0) === 0
}
