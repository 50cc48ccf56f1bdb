import * as sys from 'native:sys'
import { Fault } from '../../../native/ts/fault.ts'

/**
 * QMP on the wire (QEMU docs/interop/qmp-spec.rst): JSON objects, one a line, UTF-8.
 *
 *   VMM  ──▶ {"QMP": {"version": …, "capabilities": […]}}                     greeting
 *   shim ──▶ {"execute": "qmp_capabilities", "id": 1}
 *   VMM  ──▶ {"return": {}, "id": 1}  or  {"error": {"class", "desc"}, "id": 1}
 *   VMM  ──▶ {"event": "SHUTDOWN", "data": {…}, "timestamp": {…}}             at any time
 */
export type QmpMessage =
  | { kind: 'greeting'; version: string }
  | { kind: 'return'; id: number; value: unknown }
  | { kind: 'error'; id: number | undefined; errorClass: string; description: string }
  | { kind: 'event'; name: string; data: Record<string, unknown> }

/** The longest answers we ask for are a few KiB: a VMM that sends more was taken over, or is another program. */
export const maxLineBytes = 256 * 1024

const newline = 0x0a

/** Cuts the byte stream into messages. A VMM is only half trusted: line length and shape are checked. */
export class QmpDecoder {
  #pending: Uint8Array[] = []
  #pendingBytes = 0

  /** The messages that are complete with `bytes`. Throws Fault for a line that is too long or no QMP message. */
  push(bytes: Uint8Array): QmpMessage[] {
    const messages: QmpMessage[] = []
    let rest = bytes
    for (let end = rest.indexOf(newline); end >= 0; end = rest.indexOf(newline)) {
      const line = this.#take(rest.subarray(0, end))
      rest = rest.subarray(end + 1)
      const text = sys.utf8Decode(line, 0, line.length).trim()
      if (text !== '') messages.push(parseMessage(text))
    }
    this.#keep(rest)
    return messages
  }

  #keep(part: Uint8Array): void {
    this.#pendingBytes += part.length
    if (this.#pendingBytes > maxLineBytes) throw new Fault(`QMP line of more than ${maxLineBytes} bytes`)
    if (part.length > 0) this.#pending.push(part.slice())
  }

  #take(part: Uint8Array): Uint8Array {
    this.#keep(part)
    const line = new Uint8Array(this.#pendingBytes)
    let at = 0
    for (const piece of this.#pending) {
      line.set(piece, at)
      at += piece.length
    }
    this.#pending = []
    this.#pendingBytes = 0
    return line
  }
}

/** One command as a line. */
export function encodeCommand(id: number, command: string, args?: Record<string, unknown>): Uint8Array {
  return sys.utf8Encode(`${JSON.stringify({ execute: command, id, ...(args && { arguments: args }) })}\n`)
}

function parseMessage(text: string): QmpMessage {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new Fault(`QMP line is not JSON: ${excerpt(text)}`, { cause })
  }
  if (!isObject(value)) throw new Fault(`QMP line is no object: ${excerpt(text)}`)
  if (isObject(value.QMP)) return { kind: 'greeting', version: versionOf(value.QMP) }
  if (typeof value.event === 'string') return { kind: 'event', name: value.event, data: isObject(value.data) ? value.data : {} }
  const id = typeof value.id === 'number' ? value.id : undefined
  if (isObject(value.error)) {
    return { kind: 'error', id, errorClass: excerpt(String(value.error.class)), description: excerpt(String(value.error.desc)) }
  }
  if ('return' in value && id !== undefined) return { kind: 'return', id, value: value.return }
  throw new Fault(`QMP message of an unknown kind: ${excerpt(text)}`)
}

function versionOf(greeting: Record<string, unknown>): string {
  const version = isObject(greeting.version) && isObject(greeting.version.qemu) ? greeting.version.qemu : {}
  return [version.major, version.minor, version.micro].map(part => (typeof part === 'number' ? part : '?')).join('.')
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function excerpt(text: string): string {
  return text.length > 300 ? `${text.slice(0, 300)}…` : text
}
