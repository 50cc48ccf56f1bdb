import * as sys from 'native:sys'
import { check } from '../native/ts/errno.ts'
import { Fault } from '../native/ts/fault.ts'

/** containerd writes runtime options here: kilobytes. */
const maxStdinBytes = 4 * 1024 * 1024

/** All of stdin, to its end. Throws Fault when there is too much of it. */
export function readStdin(): Uint8Array {
  let bytes = new Uint8Array(4096)
  let length = 0
  for (;;) {
    const got = check('read', 'stdin', sys.read(0, bytes, length, bytes.length - length))
    if (got === 0) return bytes.slice(0, length)
    length += got
    if (length < bytes.length) continue
    if (length >= maxStdinBytes) throw new Fault(`stdin holds more than ${maxStdinBytes} bytes`)
    const larger = new Uint8Array(bytes.length * 2)
    larger.set(bytes)
    bytes = larger
  }
}

/** Writes all of `bytes` to stdout: the answer that containerd parses. */
export function writeStdout(bytes: Uint8Array): void {
  writeAll(1, 'stdout', bytes)
}

/** One line on stderr. */
export function writeStderr(line: string): void {
  writeAll(2, 'stderr', sys.utf8Encode(`${line}\n`))
}

function writeAll(fd: number, what: string, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) at += check('write', what, sys.write(fd, bytes, at, bytes.length - at))
}
