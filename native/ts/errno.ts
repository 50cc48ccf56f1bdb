/** Errors of system calls: one class, which names call, object, errno and cause. */

/** Linux errno numbers (include/uapi/asm-generic/errno-base.h, errno.h). */
export const E = {
  EPERM: 1, ENOENT: 2, ESRCH: 3, EINTR: 4, EIO: 5, ENXIO: 6, E2BIG: 7, ENOEXEC: 8, EBADF: 9, ECHILD: 10,
  EAGAIN: 11, ENOMEM: 12, EACCES: 13, EFAULT: 14, ENOTBLK: 15, EBUSY: 16, EEXIST: 17, EXDEV: 18, ENODEV: 19,
  ENOTDIR: 20, EISDIR: 21, EINVAL: 22, ENFILE: 23, EMFILE: 24, ENOTTY: 25, ETXTBSY: 26, EFBIG: 27, ENOSPC: 28,
  ESPIPE: 29, EROFS: 30, EMLINK: 31, EPIPE: 32, EDOM: 33, ERANGE: 34, EDEADLK: 35, ENAMETOOLONG: 36, ENOLCK: 37,
  ENOSYS: 38, ENOTEMPTY: 39, ELOOP: 40, ENODATA: 61, EPROTO: 71, EOVERFLOW: 75, EUSERS: 87, ENOTSOCK: 88,
  EMSGSIZE: 90, EPROTOTYPE: 91, ENOPROTOOPT: 92, EPROTONOSUPPORT: 93, EOPNOTSUPP: 95, EAFNOSUPPORT: 97,
  EADDRINUSE: 98, EADDRNOTAVAIL: 99, ENETDOWN: 100, ENETUNREACH: 101, ECONNABORTED: 103, ECONNRESET: 104,
  ENOBUFS: 105, EISCONN: 106, ENOTCONN: 107, ETIMEDOUT: 110, ECONNREFUSED: 111, EHOSTUNREACH: 113, EALREADY: 114,
  EINPROGRESS: 115, ESTALE: 116, EDQUOT: 122, ECANCELED: 125,
} as const

/** strerror(3) for what users meet most; others are shown by name alone. */
const texts: Readonly<Record<number, string>> = {
  1: 'operation not permitted', 2: 'no such file or directory', 3: 'no such process', 5: 'input/output error',
  6: 'no such device or address', 7: 'argument list too long', 8: 'exec format error', 9: 'bad file descriptor',
  10: 'no child processes', 11: 'resource temporarily unavailable', 12: 'cannot allocate memory',
  13: 'permission denied', 16: 'device or resource busy', 17: 'file exists', 18: 'invalid cross-device link',
  19: 'no such device', 20: 'not a directory', 21: 'is a directory', 22: 'invalid argument',
  23: 'too many open files in system', 24: 'too many open files', 25: 'inappropriate ioctl for device',
  26: 'text file busy', 27: 'file too large', 28: 'no space left on device', 30: 'read-only file system',
  32: 'broken pipe', 34: 'numerical result out of range', 36: 'file name too long', 38: 'function not implemented',
  39: 'directory not empty', 40: 'too many levels of symbolic links', 95: 'operation not supported',
  98: 'address already in use', 104: 'connection reset by peer', 107: 'transport endpoint is not connected',
  110: 'connection timed out', 111: 'connection refused', 122: 'disk quota exceeded',
}

const names = new Map<number, string>(Object.entries(E).map(([name, number]) => [number, name]))

/** The name of an errno, for example `ENOENT`; `errno 300` for an unknown one. */
export function errnoName(errno: number): string {
  return names.get(errno) ?? `errno ${errno}`
}

export interface SysErrorOptions {
  /** What the reader can do about it. */
  fix?: string
  cause?: unknown
}

/**
 * A system call that failed: `mount proc on /proc: EPERM (operation not permitted)`.
 * `call` is the call's name, `object` what it was asked for, in words.
 */
export class SysError extends Error {
  override readonly name = 'SysError'
  readonly code: string
  readonly fix: string | undefined

  constructor(readonly call: string, readonly object: string, readonly errno: number, options: SysErrorOptions = {}) {
    const text = texts[errno]
    const what = `${call}${object ? ` ${object}` : ''}: ${errnoName(errno)}${text ? ` (${text})` : ''}`
    super(options.fix ? `${what}; ${options.fix}` : what, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = errnoName(errno)
    this.fix = options.fix
  }
}

/** Gives `result`, or throws a SysError when it is a negative errno. */
export function check(call: string, object: string, result: number, options?: SysErrorOptions): number {
  if (result < 0) throw new SysError(call, object, -result, options)
  return result
}

/** Gives the data that a call returned, or throws a SysError when it gave an errno instead. */
export function checked<T>(call: string, object: string, result: T | number, options?: SysErrorOptions): T {
  if (typeof result === 'number') throw new SysError(call, object, -result, options)
  return result
}

/** Whether `error` is a SysError with one of the given errnos. */
export function isErrno(error: unknown, ...errnos: number[]): error is SysError {
  return error instanceof SysError && errnos.includes(error.errno)
}
