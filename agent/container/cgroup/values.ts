/** Reads figures out of cgroup files. A file that is not there (no such controller) reads as nothing. */
import { readTextIfPresent } from '../../../native/ts/file.ts'
import { E, isErrno } from '../../../native/ts/errno.ts'

/** The text of a kernel file; undefined when it, or its controller, is not there. */
export function readIfAny(path: string): string | undefined {
  try {
    return readTextIfPresent(path)
  } catch (error) {
    // ENODEV: the cgroup was removed between open and read; EOPNOTSUPP: the file has no meaning here.
    if (isErrno(error, E.ENODEV, E.EOPNOTSUPP, E.ENOTDIR)) return undefined
    throw error
  }
}

/** A lone number; `max`, what is no number and what is absent give `otherwise`. */
export function readNumber(path: string, otherwise = 0): number {
  const text = readIfAny(path)?.trim() ?? ''
  return /^-?\d+$/.test(text) ? Number(text) : otherwise
}

/** One word of a file as a number; what is none is 0, so that no figure is ever NaN. */
export function figure(word: string | undefined): number {
  return word !== undefined && /^-?\d+$/.test(word) ? Number(word) : 0
}

/** The numbers of a device: `8:0`. Linux has 12 bits for the first and 20 for the second. */
export function deviceNumbers(word: string): { major: number; minor: number } {
  const [, major = '0', minor = '0'] = /^(\d{1,4}):(\d{1,7})$/.exec(word) ?? []
  return { major: Number(major), minor: Number(minor) }
}

/** Lines of `key value`. */
export function readTable(path: string): Record<string, number> {
  const table: Record<string, number> = {}
  for (const line of (readIfAny(path) ?? '').split('\n')) {
    const [key, value] = line.split(' ')
    if (key && value !== undefined) table[key] = figure(value)
  }
  return table
}

/** Limits that mean «none» on cgroup v1: the highest multiple of a page below 2^63. */
export function limitOrNone(bytes: number): number {
  return bytes >= 0x7fff_ffff_ffff_f000 ? 0 : bytes
}

/** The numbers of a cgroup.procs or cgroup.threads; none when the cgroup is gone. Throws SysError. */
export function readPids(path: string): number[] {
  return (readIfAny(path) ?? '').split('\n').filter(Boolean).map(Number)
}
