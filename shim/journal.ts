import * as sys from 'native:sys'
import { O_APPEND, O_CREAT, O_NOFOLLOW, O_RDWR } from '../native/ts/constants/fcntl.ts'
import { SIGKILL } from '../native/ts/constants/signal.ts'
import { sleep } from '../native/ts/clock.ts'
import { check, E, isErrno, SysError } from '../native/ts/errno.ts'
import { Fault } from '../native/ts/fault.ts'
import { open, type Fd } from '../native/ts/fd.ts'
import { readTextIfPresent, removeDirectory, removeFile, removeTree } from '../native/ts/file.ts'

/**
 * What a sandbox holds on the host that outlives a `kill -9` of its shim. Processes and mounts do not
 * (PR_SET_PDEATHSIG, private mount namespace); they are here so that `delete` can wait for their end.
 *
 * The journal is a file of JSON lines, `<stateDir>/journal`, one resource a line, written before the resource is
 * made (a process: right after, it cannot be named before). Replay goes backwards and removes what is still there.
 */
export type Resource =
  /** A unix socket's file. */
  | { kind: 'socket'; path: string }
  /** A directory of cgroupfs. */
  | { kind: 'cgroup'; path: string }
  /** A directory with all that is in it, on one file system. */
  | { kind: 'tree'; path: string }
  /** Packets of interface `name` go to the VM's tap, in the network namespace at `path` with this inode. */
  | { kind: 'redirect'; path: string; inode: number; index: number; name: string }
  /** The macvtap interface `name` in that namespace; `index` is its lower interface's. */
  | { kind: 'macvtap'; path: string; inode: number; index: number; name: string }
  /** `startTicks` tells the process from a later one with its pid (proc_pid_stat(5), field 22). */
  | { kind: 'process'; pid: number; startTicks: number }

/** What a sandbox can hold is a handful: a longer journal is not one of ours. */
const maxJournalBytes = 1024 * 1024
/** A killed VMM frees its memory before it is gone; more than this is a hang. */
const removeLimitMs = 3_000
const retryMs = 5

function journalPath(stateDir: string): string {
  return `${stateDir}/journal`
}

/** The journal of a running sandbox. */
export class Journal {
  readonly #fd: Fd

  /** Opens or creates `<stateDir>/journal`. Throws SysError. */
  constructor(readonly stateDir: string) {
    this.#fd = open(journalPath(stateDir), O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW, 0o600)
  }

  /** Notes a resource; call it before the resource is made. Throws SysError, and then the resource must not be made. */
  record(resource: Resource): void {
    // The newline in front ends a line that an earlier, dying writer left torn.
    const line = sys.utf8Encode(`\n${JSON.stringify(resource)}\n`)
    const written = check('write', `${this.stateDir}/journal`, sys.write(this.#fd.number, line, 0, line.length))
    if (written !== line.length) throw new SysError('write', `${this.stateDir}/journal`, E.ENOSPC)
  }

  /** Notes a process of ours with its start time; a process that is gone already is not noted. */
  recordProcess(pid: number): void {
    const startTicks = startTicksOf(pid)
    if (startTicks !== undefined) this.record({ kind: 'process', pid, startTicks })
  }

  close(): void {
    this.#fd.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }
}

/** The resources that the journal names, in the order of writing; lines that are torn or not ours are skipped. */
export function readJournal(stateDir: string): Resource[] {
  const text = readTextIfPresent(journalPath(stateDir), maxJournalBytes) ?? ''
  return text.split('\n').map(parseResource).filter(resource => resource !== undefined)
}

/**
 * Removes what the sandbox left, last made first, then the state directory. Idempotent; goes on after a failure
 * and throws an AggregateError of all at the end: calling again finishes the work.
 */
export async function replay(stateDir: string): Promise<void> {
  const errors: Error[] = []
  for (const resource of readJournal(stateDir).reverse()) {
    try {
      await remove(resource)
    } catch (cause) {
      const what = 'path' in resource ? resource.path : `process ${resource.pid}`
      errors.push(new Fault(`cannot remove ${what} of a sandbox`, { cause }))
    }
  }
  if (errors.length > 0) throw new AggregateError(errors, `${errors.length} resources of ${stateDir} are left`)
  removeTree(stateDir)
}

async function remove(resource: Resource): Promise<void> {
  switch (resource.kind) {
    case 'socket':
      removeFile(resource.path)
      return
    case 'tree':
      await untilDone(() => removeTree(resource.path))
      return
    case 'cgroup':
      await untilDone(() => void removeDirectory(resource.path))
      return
    case 'redirect':
    case 'macvtap':
      // Loaded for the few that have one: `delete` has little time.
      (await import('./network/left.ts')).removeLeft(resource)
      return
    case 'process':
      await endProcess(resource.pid, resource.startTicks)
  }
}

/** Repeats while the kernel says EBUSY: processes in a cgroup, or with a mount there, may still be on their way out. */
async function untilDone(work: () => void): Promise<void> {
  for (let waitedMs = 0; ; waitedMs += retryMs) {
    try {
      work()
      return
    } catch (error) {
      if (!isErrno(error, E.EBUSY) || waitedMs >= removeLimitMs) throw error
      await sleep(retryMs)
    }
  }
}

async function endProcess(pid: number, startTicks: number): Promise<void> {
  for (let waitedMs = 0; startTicksOf(pid) === startTicks; waitedMs += retryMs) {
    if (waitedMs >= removeLimitMs) throw new Fault(`process ${pid} does not end`)
    sys.kill(pid, SIGKILL)
    await sleep(retryMs)
  }
}

/** When a process started, in clock ticks since boot; undefined when it is gone (a zombie is gone too). */
function startTicksOf(pid: number): number | undefined {
  let text: string | undefined
  try {
    text = readTextIfPresent(`/proc/${pid}/stat`, 4096)
  } catch (error) {
    // A process that ends between open and read.
    if (isErrno(error, E.ESRCH)) return undefined
    throw error
  }
  // The name (field 2) may hold spaces and parentheses: fields are counted from its last one.
  const fields = text?.slice(text.lastIndexOf(')') + 2).split(' ')
  if (!fields || fields[0] === 'Z' || fields[0] === 'X') return undefined
  const ticks = Number(fields[19])
  return Number.isSafeInteger(ticks) ? ticks : undefined
}

/** A line of the journal, or undefined when it is none: torn by a crash, or written by another version. */
function parseResource(line: string): Resource | undefined {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    return undefined
  }
  if (typeof value !== 'object' || value === null || !('kind' in value)) return undefined
  if (value.kind === 'process') {
    if (!('pid' in value) || !('startTicks' in value)) return undefined
    const { pid, startTicks } = value
    return isPid(pid) && typeof startTicks === 'number' ? { kind: 'process', pid, startTicks } : undefined
  }
  if (value.kind === 'redirect' || value.kind === 'macvtap') return parseLink(value.kind, value)
  if (!('path' in value) || typeof value.path !== 'string' || !isRemovable(value.path)) return undefined
  const { kind, path } = value
  return kind === 'socket' || kind === 'cgroup' || kind === 'tree' ? { kind, path } : undefined
}

function parseLink(kind: 'redirect' | 'macvtap', value: object): Resource | undefined {
  if (!('path' in value && 'inode' in value && 'index' in value && 'name' in value)) return undefined
  const { path, inode, index, name } = value
  if (typeof path !== 'string' || !path.startsWith('/') || typeof name !== 'string') return undefined
  return typeof inode === 'number' && typeof index === 'number' ? { kind, path, inode, index, name } : undefined
}

function isPid(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 1
}

/** Absolute, no `..`, and deep enough that a damaged journal cannot name a top-level directory. */
function isRemovable(path: string): boolean {
  return /^(\/[^/]+){3,}$/.test(path) && !path.split('/').includes('..')
}
