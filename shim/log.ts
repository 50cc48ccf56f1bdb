import * as sys from 'native:sys'
import { O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_RDWR, O_WRONLY } from '../native/ts/constants/fcntl.ts'
import { Fd, open } from '../native/ts/fd.ts'

/**
 * The shim's log: one JSON object a line, in pino's field shape with the level by name:
 * `{"level":"info","time":"2026-01-02T03:04:05.678Z","msg":"…","namespace":"…","sandbox":"…",…}`.
 * A line is written with one write(2) of at most PIPE_BUF bytes, so lines never interleave and a full
 * FIFO loses whole lines only; how many is told by `dropped` on the next line that gets through.
 */

export type Level = 'error' | 'warn' | 'info' | 'debug'
export type Fields = Readonly<Record<string, unknown>>

const ranks: Readonly<Record<Level, number>> = { error: 0, warn: 1, info: 2, debug: 3 }

/** pipe(7): writes up to this size are atomic. include/uapi/linux/limits.h */
const pipeBufBytes = 4096

/** Lengths to which strings are cut, one after the other, until the line fits. */
const cutLengths = [3000, 1500, 700, 300, 100, 30] as const

export interface Log {
  error(msg: string, fields?: Fields): void
  warn(msg: string, fields?: Fields): void
  info(msg: string, fields?: Fields): void
  debug(msg: string, fields?: Fields): void
  /** Whether a line of this level is written: for work that only serves the log. */
  enabled(level: Level): boolean
  /** The same sink with more fields on each line. */
  child(fields: Fields): Log
}

export interface LogOptions {
  /** Borrowed descriptor to write to; it should be non-blocking. */
  fd: number
  /** The least severe level that is written; default `info`. */
  level?: Level
  /** On every line. */
  fields?: Fields
}

/** Lines lost because the reader was too slow, shared by a log and its children. */
interface Sink {
  fd: number
  dropped: number
}

class JsonLog implements Log {
  constructor(private readonly sink: Sink, private readonly rank: number, private readonly fields: Fields) {}

  error(msg: string, fields: Fields = {}): void { this.#write('error', msg, fields) }
  warn(msg: string, fields: Fields = {}): void { this.#write('warn', msg, fields) }
  info(msg: string, fields: Fields = {}): void { this.#write('info', msg, fields) }
  debug(msg: string, fields: Fields = {}): void { this.#write('debug', msg, fields) }

  enabled(level: Level): boolean {
    return ranks[level] <= this.rank
  }

  child(fields: Fields): Log {
    return new JsonLog(this.sink, this.rank, { ...this.fields, ...fields })
  }

  #write(level: Level, msg: string, fields: Fields): void {
    if (!this.enabled(level)) return
    const record: Record<string, unknown> = { level, time: new Date().toISOString(), msg, ...this.fields, ...fields }
    if (this.sink.dropped > 0) record.dropped = this.sink.dropped
    const line = encodeLine(record)
    // Logging never fails what it tells about: a line that cannot be written is counted and gone.
    if (sys.write(this.sink.fd, line, 0, line.length) === line.length) this.sink.dropped = 0
    else this.sink.dropped++
  }
}

/** A log over `fd`. Never throws, neither here nor when a line is written. */
export function createLog({ fd, level = 'info', fields = {} }: LogOptions): Log {
  return new JsonLog({ fd, dropped: 0 }, ranks[level], fields)
}

/** A log that goes nowhere, for callers that have none. */
export const silentLog: Log = {
  error() {}, warn() {}, info() {}, debug() {},
  enabled: () => false,
  child: () => silentLog,
}

/**
 * The FIFO `<bundle>/log` that containerd reads a shim's log from; a plain file when there is none.
 * Read-write, so that opening does not wait for a reader and a reader's end is no EPIPE. The caller owns it.
 */
export function openLogSink(path: string): Fd {
  try {
    return open(path, O_RDWR | O_NONBLOCK | O_NOFOLLOW)
  } catch {
    return open(path, O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK | O_NOFOLLOW, 0o600)
  }
}

/** One line of at most PIPE_BUF bytes: strings are cut with `…` until it fits. */
function encodeLine(record: Record<string, unknown>): Uint8Array {
  let line = sys.utf8Encode(`${jsonText(record)}\n`)
  for (const length of cutLengths) {
    if (line.length <= pipeBufBytes) return line
    line = sys.utf8Encode(`${jsonText(cutStrings(record, length))}\n`)
  }
  if (line.length <= pipeBufBytes) return line
  const { level, time, msg } = record
  return sys.utf8Encode(`${jsonText({ level, time, msg: String(msg).slice(0, 300), fieldsDropped: true })}\n`)
}

function cutStrings(record: Record<string, unknown>, length: number): Record<string, unknown> {
  const cut: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(record)) {
    cut[name] = typeof value === 'string' && value.length > length ? `${value.slice(0, length)}…` : value
  }
  return cut
}

/**
 * JSON.stringify escapes C0 controls and quotes. What is left and still moves a terminal or an editor
 * that shows the log is escaped here: DEL and C1 controls, line separators, bidirectional overrides.
 */
function jsonText(record: Record<string, unknown>): string {
  return JSON.stringify(record, (_name, value: unknown) => typeof value === 'bigint' ? value.toString() : value)
    .replace(/[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, found => `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
