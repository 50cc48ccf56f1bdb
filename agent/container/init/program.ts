import * as sys from 'native:sys'
import { AT_FDCWD, O_NOCTTY, O_NONBLOCK, O_RDONLY } from '../../../native/ts/constants/fcntl.ts'
import { S_IFDIR, S_IFMT, S_IFREG } from '../../../native/ts/constants/stat.ts'
import { E, errnoName, SysError } from '../../../native/ts/errno.ts'
import { Fault } from '../../../native/ts/fault.ts'
import { Fd } from '../../../native/ts/fd.ts'
import { fstat } from '../../../native/ts/file.ts'

/** Where a program is looked for when the process has no PATH (execvp(3)). */
const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** Messages in the words that users of runc know and clients match on. */
function missing(name: string, why: string): Fault {
  return new Fault(`exec: ${JSON.stringify(name)}: ${why}`)
}

/**
 * The file that execve(2) will be given for `name`, looked up as execvp(3) does in the container's own
 * root. Throws Fault: here, before `created`, so that a missing program is an error of create.
 */
export function findProgram(name: string, env: readonly string[]): string {
  if (name.includes('/')) {
    const why = unfit(name)
    if (why !== undefined) throw missing(name, why === E.ENOENT ? `stat ${name}: no such file or directory` : reason(why))
    return name
  }
  const path = env.findLast(entry => entry.startsWith('PATH='))?.slice('PATH='.length) ?? defaultPath
  let denied = false
  for (const directory of path.split(':')) {
    const candidate = `${directory || '.'}/${name}`
    const why = unfit(candidate)
    if (why === undefined) return candidate
    denied ||= why === E.EACCES
  }
  throw missing(name, denied ? 'permission denied' : 'executable file not found in $PATH')
}

/** The errno that speaks against running `path`; undefined when nothing does. */
function unfit(path: string): number | undefined {
  const stat = sys.statx(AT_FDCWD, path, 0)
  if (typeof stat === 'number') return stat === -E.ENOTDIR ? E.ENOENT : -stat
  if ((stat.mode & S_IFMT) === S_IFDIR) return E.EISDIR
  if ((stat.mode & S_IFMT) !== S_IFREG || (stat.mode & 0o111) === 0) return E.EACCES
  return undefined
}

function reason(errno: number): string {
  if (errno === E.EACCES) return 'permission denied'
  if (errno === E.EISDIR) return 'is a directory'
  return errnoName(errno)
}

/** Turns into the program; comes back only by throwing. */
export function execute(path: string, args: readonly string[], env: readonly string[]): never {
  const failed = -sys.execve(path, [...args], [...env])
  const name = args[0] ?? path
  if (failed === E.ENOENT) throw missing(name, 'no such file or directory: its interpreter is missing')
  if (failed === E.ENOEXEC) throw missing(name, 'exec format error')
  if (failed === E.EACCES) throw missing(name, 'permission denied')
  throw new SysError('execve', path, failed)
}

/** As much of a container's /etc/passwd as is read. */
const maxPasswdBytes = 1024 * 1024

/**
 * The environment, with HOME from the container's /etc/passwd where the spec gives none, as programs
 * expect it (config.md leaves it open; every runtime sets it). Runs inside the container's root.
 */
export function withHome(env: readonly string[], uid: number): string[] {
  if (env.some(entry => entry.startsWith('HOME=') && entry !== 'HOME=')) return [...env]
  const home = homeOf(uid) ?? (uid === 0 ? '/root' : '/')
  return [...env.filter(entry => !entry.startsWith('HOME=')), `HOME=${home}`]
}

function homeOf(uid: number): string | undefined {
  for (const line of passwd().split('\n')) {
    const fields = line.split(':')
    if (fields.length >= 6 && fields[2] === String(uid)) return fields[5] || undefined
  }
  return undefined
}

/** The file is the image's: it may be missing, a FIFO, or endless. */
function passwd(): string {
  const opened = sys.openat(AT_FDCWD, '/etc/passwd', O_RDONLY | O_NONBLOCK | O_NOCTTY, 0)
  if (opened < 0) return ''
  using fd = new Fd(opened, '/etc/passwd')
  const { mode, size } = fstat(fd.number, fd.what)
  if ((mode & S_IFMT) !== S_IFREG || size > maxPasswdBytes) return ''
  const buffer = new Uint8Array(size)
  let filled = 0
  while (filled < size) {
    const got = sys.read(fd.number, buffer, filled, size - filled)
    if (got <= 0) break
    filled += got
  }
  return sys.utf8Decode(buffer, 0, filled)
}
