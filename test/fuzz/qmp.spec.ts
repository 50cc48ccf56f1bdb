/** QMP from a VMM that was taken over: each line is a message, or ends the session with a Fault. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Fault } from '../../native/ts/fault.ts'
import { encodeCommand, maxLineBytes, QmpDecoder, type QmpMessage } from '../../shim/hypervisor/qemu/qmp-codec.ts'
import { anyBytes, mutatedText, throwsOnly, tree } from './arbitraries.ts'
import { bytesOf, corpus } from './corpus.ts'
import { settings } from './settings.ts'

const utf8 = new TextEncoder()
const lines = [
  '{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": ""}, "capabilities": ["oob"]}}',
  '{"return": {}, "id": 1}', '{"timestamp": {"seconds": 1, "microseconds": 5}, "event": "SHUTDOWN", "data": {"guest": true}}',
  '{"id": 2, "error": {"class": "CommandNotFound", "desc": "no such command"}}', '{"return": {"status": "running"}, "id": 3}',
]
const keys = ['QMP', 'version', 'qemu', 'major', 'return', 'id', 'event', 'data', 'error', 'class', 'desc', 'timestamp', '__proto__']
const anyLine = fc.oneof(mutatedText(lines, '{}[]",:'), tree(keys).map(value => JSON.stringify(value)), fc.constantFrom(...lines), fc.string())

/** The messages of bytes in one piece, or undefined where they were refused. */
function decodeAll(bytes: Uint8Array): QmpMessage[] | undefined {
  const messages = throwsOnly(Fault, () => new QmpDecoder().push(bytes))
  for (const message of messages ?? []) {
    expect(['greeting', 'return', 'error', 'event']).toContain(message.kind)
    // What goes into errors and logs is short.
    if (message.kind === 'error') expect(message.description.length + message.errorClass.length).toBeLessThan(700)
  }
  return messages
}

describe('the decoder of QMP', () => {
  it('takes any lines, or refuses them with a Fault that is short', () => {
    fc.assert(fc.property(fc.array(anyLine, { maxLength: 6 }), some => { decodeAll(utf8.encode(some.map(line => `${line}\n`).join(''))) }), settings)
    fc.assert(fc.property(anyBytes, bytes => { decodeAll(bytes) }), settings)
  })

  it('gives the same messages however the bytes are cut', () => {
    fc.assert(fc.property(fc.array(anyLine, { maxLength: 4 }), fc.array(fc.nat(600), { maxLength: 6 }), (some, cuts) => {
      const bytes = utf8.encode(some.map(line => `${line}\n`).join(''))
      const edges = [0, ...cuts.map(cut => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]
      const decoder = new QmpDecoder()
      const inPieces = throwsOnly(Fault, () => edges.slice(1).flatMap((end, index) => decoder.push(bytes.subarray(edges[index], end))))
      expect(inPieces).toEqual(decodeAll(bytes))
    }), settings)
  })

  it('keeps no more of a line without end than the limit', () => {
    const decoder = new QmpDecoder()
    const piece = new Uint8Array(64 * 1024).fill(0x20)
    expect(() => { for (let sent = 0; sent <= maxLineBytes; sent += piece.length) decoder.push(piece) }).toThrow(Fault)
  })

  it.each(corpus('qmp'))('is judged: $why', kept => { decodeAll(bytesOf(kept)) })

  it('reads what a QEMU that echoes would send: a command is one line', () => {
    fc.assert(fc.property(fc.string({ unit: 'grapheme' }), fc.json(), (word, json) => {
      const line = Buffer.from(encodeCommand(1, 'x', { word, json })).toString()
      expect(line.split('\n')).toHaveLength(2)
      expect(JSON.parse(line)).toEqual({ execute: 'x', id: 1, arguments: { word, json } })
    }), settings)
  })
})
