import * as sys from 'native:sys'
import { AT_FDCWD } from '../../../native/ts/constants/fcntl.ts'
import { SIGCHLD } from '../../../native/ts/constants/signal.ts'
import { CLD_EXITED, P_PID, WEXITED } from '../../../native/ts/constants/wait.ts'
import { checked } from '../../../native/ts/errno.ts'

/** Cases of one program, run by test/native/cases.spec.ts, each in a process of its own. */
export type Cases = Record<string, () => void | Promise<void>>

/** `--list` prints the names; a name runs that case, which must end with as many open fds as it began with. */
export async function runCases(cases: Cases): Promise<void> {
  const wanted = sys.argv()[1] ?? ''
  if (wanted === '--list') {
    print(`${Object.keys(cases).join('\n')}\n`)
    return
  }
  const run = cases[wanted]
  if (!run) throw new Error(`no case ${wanted}`)
  // The loop's own fd is made with the first watch: made now, so that it is not taken for a leak.
  const [reader, writer] = pair(sys.pipe2(0))
  sys.watch(reader, 0, () => {})
  sys.unwatch(reader)
  sys.close(reader)
  sys.close(writer)
  const before = openFds()
  await run()
  equal(openFds(), before, 'open fds')
  sys.exit(0)
}

export function print(text: string): void {
  const bytes = sys.utf8Encode(text)
  sys.write(1, bytes, 0, bytes.length)
}

export function openFds(): string[] {
  return checked('readdir', '/proc/self/fd', sys.readdir(AT_FDCWD, '/proc/self/fd')).map(entry => entry.name).slice(0, -1)
}

/** Throws unless both are the same as JSON (with bigints). */
export function equal(actual: unknown, expected: unknown, what = 'value'): void {
  const [seen, wanted] = [actual, expected].map(value => JSON.stringify(value, (_, item: unknown) => (typeof item === 'bigint' ? `${item}n` : item)))
  if (seen !== wanted) throw new Error(`${what}: expected ${wanted}, got ${seen}`)
}

export function ok(condition: boolean, what: string): void {
  if (!condition) throw new Error(what)
}

/** The TypeError's message that `call` throws. */
export function typeError(call: () => unknown): string {
  try {
    call()
  } catch (error) {
    if (error instanceof TypeError) return error.message
    throw error
  }
  throw new Error('no TypeError')
}

export function pair(ends: [number, number] | number): [number, number] {
  return checked('pair', 'two fds', ends)
}

/** Runs `body` in a forked child, which ends with status 0, or 99 when `body` throws. Gives the pid. */
export function forked(body: () => number | void): number {
  const clone = checked('clone3', 'test child', sys.clone3({ flags: 0, exitSignal: SIGCHLD }))
  if (clone.pid !== 0) {
    sys.close(clone.pidfd)
    return clone.pid
  }
  let status = 99
  try {
    status = body() ?? 0
  } catch (error) {
    const text = sys.utf8Encode(`in the child: ${String(error)}\n${error instanceof Error ? error.stack : ''}`)
    sys.write(2, text, 0, text.length)
  }
  return sys._exit(status)
}

/** Waits for a child; its exit status, or 128 + signal. */
export function waitFor(pid: number): number {
  const seen = sys.waitid(P_PID, pid, WEXITED)
  if (seen === null || typeof seen === 'number') throw new Error(`waitid: ${seen}`)
  return seen.code === CLD_EXITED ? seen.status : 128 + seen.status
}

export function writeAll(fd: number, bytes: Uint8Array): void {
  for (let sent = 0; sent < bytes.length;) {
    const count = sys.write(fd, bytes, sent, bytes.length - sent)
    if (count < 0) throw new Error(`write: errno ${-count}`)
    sent += count
  }
}

/** Blocking reads until the end of the file. */
export function readAll(fd: number): Uint8Array {
  const parts: number[] = []
  const buffer = new Uint8Array(4096)
  for (;;) {
    const got = sys.read(fd, buffer, 0, buffer.length)
    if (got < 0) throw new Error(`read: errno ${-got}`)
    if (got === 0) return new Uint8Array(parts)
    parts.push(...buffer.subarray(0, got))
  }
}

export function text(bytes: Uint8Array | number): string {
  if (typeof bytes === 'number') throw new Error(`errno ${-bytes}`)
  return sys.utf8Decode(bytes, 0, bytes.length)
}
