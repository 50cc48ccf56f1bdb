import * as sys from 'native:sys'
import { spawn } from '../../../native/ts/child.ts'
import { AT_FDCWD, O_RDONLY } from '../../../native/ts/constants/fcntl.ts'
import { check, checked } from '../../../native/ts/errno.ts'
import { Fault } from '../../../native/ts/fault.ts'
import { open, pipe } from '../../../native/ts/fd.ts'
import { exists, makeDirectories, readTextIfPresent, replaceText } from '../../../native/ts/file.ts'
import { hex } from '../../paths.ts'

/**
 * The host's files that a program needs in order to start: itself, its loader and its libraries, found out by its own
 * loader (`ld.so --list`), which nothing that we could write ourselves would agree with in every case: search paths of the
 * distribution, RUNPATH, hardware variants. Asked once for each program and version: the answer is kept, and holds while
 * every file of it is the one that it was.
 */

/** Where the answers are. */
export const programsDir = '/run/kata-ts/programs'
/** Where loaders look libraries up that lie in none of their own directories. */
const loaderCache = '/etc/ld.so.cache'
const maxOutputBytes = 256 * 1024
/** Scripts that start scripts would be a riddle, not a program. */
const maxInterpreters = 2

/** A file as it was when it was asked for: another one of that name is another answer. */
type Identity = [path: string, dev: string, ino: number, size: number, mtimeMs: number]

/**
 * Absolute paths of all files that `program` and the `modules` it may load need. A script needs its interpreter, and all of its own directory: a wrapper that
 * was installed with what it starts. Throws Fault when the loader cannot tell.
 */
export function programFiles(program: string, modules: readonly string[] = [], directory = programsDir): string[] {
  const key = sys.sha256(sys.utf8Encode([program, ...modules].join('\0')))
  const kept = `${directory}/${hex(key.subarray(0, 12))}.json`
  const known = parseKept(kept)
  if (known?.every(same)) return known.map(([path]) => path)
  const files = [...new Set([...findFiles(program, maxInterpreters), ...modules.flatMap(module => [module, ...loaderList(interpreterOf(program) ?? '', module)])])]
  if (exists(loaderCache)) files.push(loaderCache)
  keep(kept, files.map(identityOf))
  return files
}

function findFiles(program: string, deep: number): string[] {
  const script = scriptInterpreterOf(program)
  if (script !== undefined) {
    if (deep === 0) throw new Fault(`${program} is a script that a script interprets`)
    return [program.slice(0, program.lastIndexOf('/')), script, ...findFiles(script, deep - 1)]
  }
  const loader = interpreterOf(program)
  return loader === undefined ? [program] : [program, loader, ...loaderList(loader, program)]
}

/** `#!/bin/sh` → `/bin/sh` (execve(2)). */
function scriptInterpreterOf(program: string): string | undefined {
  const head = readHead(program, 256)
  if (head[0] !== 0x23 || head[1] !== 0x21) return undefined
  return /^#!\s*(\/\S+)/.exec(sys.utf8Decode(head, 0, head.length))?.[1]
}

/** PT_INTERP of an ELF file of 64 bits (elf(5)); undefined for a static program. */
function interpreterOf(program: string): string | undefined {
  const head = readHead(program, 4096)
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength)
  if (head.length < 64 || view.getUint32(0) !== 0x7f454c46 || head[4] !== 2) return undefined
  const [offset, size, count] = [Number(view.getBigUint64(32, true)), view.getUint16(54, true), view.getUint16(56, true)]
  for (let at = offset, seen = 0; seen < count && at + 56 <= head.length; at += size, seen++) {
    if (view.getUint32(at, true) !== 3) continue
    const [from, length] = [Number(view.getBigUint64(at + 8, true)), Number(view.getBigUint64(at + 32, true))]
    // Linkers put it right behind the program headers.
    if (from + length > head.length || length < 2) throw new Fault(`${program} names its loader where it is not looked for`)
    return sys.utf8Decode(head, from, length - 1)
  }
  return undefined
}

function readHead(path: string, bytes: number): Uint8Array {
  using file = open(path, O_RDONLY)
  const buffer = new Uint8Array(bytes)
  return buffer.subarray(0, check('read', path, sys.read(file.number, buffer, 0, bytes)))
}

/** What `loader` would load for `file`. It loads, and runs none of it. */
function loaderList(loader: string, file: string): string[] {
  if (loader === '') return []
  const { reader, writer } = pipe(`output of ${loader}`)
  using output = reader
  let status: number
  let text = ''
  {
    using theirs = writer
    using child = spawn({ path: loader, argv: [loader, '--list', file], env: ['LC_ALL=C'], stdio: ['null', theirs.number, 'null'] })
    // Its end of the pipe alone keeps the output open.
    theirs.close()
    const buffer = new Uint8Array(16 * 1024)
    for (let got = 1; got > 0 && text.length < maxOutputBytes;) {
      got = sys.read(output.number, buffer, 0, buffer.length)
      if (got > 0) text += sys.utf8Decode(buffer, 0, got)
    }
    status = child.waitNow().status
  }
  const missing = /^\s*(\S+) => not found/m.exec(text)?.[1]
  if (missing !== undefined) throw new Fault(`${file} needs ${missing}, which is not installed`)
  if (status !== 0) throw new Fault(`${loader} does not tell which libraries ${file} needs (status ${status})`)
  return parseLoaderList(text)
}

/** Lines of `ld.so --list`: `libz.so.1 => /lib/x86_64-linux-gnu/libz.so.1 (0x…)`, or a path alone; the vDSO has none. Pure. */
export function parseLoaderList(text: string): string[] {
  return text.split('\n').map(line => /^\s*(?:\S+ => )?(\/\S+) \(0x/.exec(line)?.[1]).filter(path => path !== undefined)
}

function identityOf(path: string): Identity {
  const { devMajor, devMinor, ino, size, mtimeMs } = checked('stat', path, sys.statx(AT_FDCWD, path, 0))
  return [path, `${devMajor}:${devMinor}`, ino, size, mtimeMs]
}

function same(known: Identity): boolean {
  const stat = sys.statx(AT_FDCWD, known[0], 0)
  return typeof stat !== 'number' && `${stat.devMajor}:${stat.devMinor}` === known[1] && stat.ino === known[2] && stat.size === known[3] && stat.mtimeMs === known[4]
}

function keep(path: string, files: Identity[]): void {
  try {
    makeDirectories(path.slice(0, path.lastIndexOf('/')), 0o711)
    replaceText(path, JSON.stringify(files))
  } catch {
    // Asked again next time, then: some tens of milliseconds.
  }
}

function parseKept(path: string): Identity[] | undefined {
  try {
    const value: unknown = JSON.parse(readTextIfPresent(path, 1024 * 1024) ?? 'null')
    return Array.isArray(value) && value.length > 0 && value.every(isIdentity) ? value : undefined
  } catch {
    return undefined
  }
}

function isIdentity(value: unknown): value is Identity {
  return Array.isArray(value) && value.length === 5 && typeof value[0] === 'string' && value[0].startsWith('/') && typeof value[1] === 'string'
    && value.slice(2).every(each => typeof each === 'number')
}
