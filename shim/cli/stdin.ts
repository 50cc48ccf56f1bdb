import * as sys from 'native:sys'
import { check } from '../../native/ts/errno.ts'
import { Fault } from '../../native/ts/fault.ts'

/** More than any document that a client has for us. */
const maxBytes = 16 * 1024 * 1024

/** All of stdin, by its descriptor: a socket, which clients use too, has no name to be opened by. */
export function readStdin(): string {
  const parts: Uint8Array[] = []
  let length = 0
  for (;;) {
    const buffer = new Uint8Array(64 * 1024)
    const got = check('read', 'stdin', sys.read(0, buffer, 0, buffer.length))
    if (got === 0) break
    parts.push(buffer.subarray(0, got))
    length += got
    if (length > maxBytes) throw new Fault(`stdin has more than ${maxBytes} bytes`)
  }
  const all = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return sys.utf8Decode(all, 0, length)
}
