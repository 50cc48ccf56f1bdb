import * as sys from 'native:sys'
import { AT_FDCWD, O_APPEND, O_CREAT, O_WRONLY } from '../../native/ts/constants/fcntl.ts'

export type Level = 'error' | 'warning' | 'debug'

/** Where and how the command line tells what went wrong: as runc does, since its clients read both. */
export interface LogOptions {
  /** A file that lines are appended to; undefined: stderr. */
  path: string | undefined
  format: 'text' | 'json'
}

/** One line of logrus, by its JSON or its text formatter, in the order of its keys. */
export function logLine(level: Level, msg: string, format: LogOptions['format'], now = new Date()): string {
  const time = now.toISOString().replace(/\.\d+Z$/, 'Z')
  return format === 'json' ? JSON.stringify({ level, msg, time }) : `time="${time}" level=${level} msg=${JSON.stringify(msg)}`
}

/** Writes a line to the log, and for an error in a file the bare message to stderr, too: what containerd and podman show. */
export function log(options: LogOptions, level: Level, msg: string): void {
  const line = `${logLine(level, msg, options.format)}\n`
  if (options.path === undefined) write(2, line)
  else {
    sys.writeFile(AT_FDCWD, options.path, line, O_WRONLY | O_CREAT | O_APPEND, 0o644)
    if (level === 'error') write(2, `${msg}\n`)
  }
}

/** Writes all of a text; gives up when nobody reads it any more. */
export function write(fd: number, text: string): void {
  const bytes = sys.utf8Encode(text)
  for (let sent = 0; sent < bytes.length;) {
    const wrote = sys.write(fd, bytes, sent, bytes.length - sent)
    if (wrote < 0) return
    sent += wrote
  }
}
