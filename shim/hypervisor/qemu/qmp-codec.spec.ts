import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encodeCommand, maxLineBytes, QmpDecoder, type QmpMessage } from './qmp-codec.ts'

const utf8 = new TextEncoder()
/** What QEMU 7.2 sends: greeting, two answers, an error, an event. */
const session = [
  '{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": "Debian 1:7.2+dfsg-7+deb12u18"}, "capabilities": ["oob"]}}',
  '{"return": {}, "id": 1}',
  '{"timestamp": {"seconds": 1700000000, "microseconds": 5}, "event": "SHUTDOWN", "data": {"guest": true, "reason": "guest-shutdown"}}',
  '{"id": 2, "error": {"class": "CommandNotFound", "desc": "The command foo has not been found"}}',
  '{"return": {"status": "running", "singlestep": false, "running": true}, "id": 3}',
].map(line => `${line}\r\n`).join('')
const decoded: QmpMessage[] = [
  { kind: 'greeting', version: '7.2.22' },
  { kind: 'return', id: 1, value: {} },
  { kind: 'event', name: 'SHUTDOWN', data: { guest: true, reason: 'guest-shutdown' } },
  { kind: 'error', id: 2, errorClass: 'CommandNotFound', description: 'The command foo has not been found' },
  { kind: 'return', id: 3, value: { status: 'running', singlestep: false, running: true } },
]

describe('QmpDecoder', () => {
  it('gives the same messages wherever the stream is cut', () => {
    const bytes = utf8.encode(session)
    for (let cut = 0; cut <= bytes.length; cut++) {
      const decoder = new QmpDecoder()
      expect([...decoder.push(bytes.subarray(0, cut)), ...decoder.push(bytes.subarray(cut))]).toEqual(decoded)
    }
  })

  it('gives the same messages in pieces of any sizes', () => {
    const bytes = utf8.encode(session)
    fc.assert(fc.property(fc.array(fc.integer({ min: 1, max: 80 }), { minLength: 1 }), sizes => {
      const decoder = new QmpDecoder()
      const messages: QmpMessage[] = []
      for (let at = 0, turn = 0; at < bytes.length; turn++) {
        const size = sizes[turn % sizes.length] ?? 1
        messages.push(...decoder.push(bytes.subarray(at, at + size)))
        at += size
      }
      expect(messages).toEqual(decoded)
    }))
  })

  it('keeps its own copy of a part that the caller reuses', () => {
    const decoder = new QmpDecoder()
    const buffer = utf8.encode('{"return": 1, ')
    decoder.push(buffer)
    buffer.fill(0x20)
    expect(decoder.push(utf8.encode('"id": 7}\n'))).toEqual([{ kind: 'return', id: 7, value: 1 }])
  })

  it.each([
    ['not JSON', 'hello\n', 'QMP line is not JSON: hello'],
    ['no object', '[1]\n', 'QMP line is no object'],
    ['an answer without an id', '{"return": {}}\n', 'unknown kind'],
    ['an unknown message', '{"x": 1}\n', 'unknown kind'],
  ])('refuses %s', (_what, text, message) => {
    expect(() => new QmpDecoder().push(utf8.encode(text))).toThrow(message)
  })

  it('refuses a line without end before it fills the memory', () => {
    const decoder = new QmpDecoder()
    const part = new Uint8Array(64 * 1024).fill(0x61)
    expect(() => { for (let turn = 0; turn < 8; turn++) decoder.push(part) }).toThrow(`more than ${maxLineBytes} bytes`)
  })

  it('survives any bytes: messages or one error', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), bytes => {
      try {
        new QmpDecoder().push(bytes)
      } catch (error) {
        expect((error as Error).message).toMatch(/^QMP/)
      }
    }))
  })

  it('cuts what a VMM says about an error', () => {
    const [message] = new QmpDecoder().push(utf8.encode(`{"id": 1, "error": {"class": "GenericError", "desc": "${'x'.repeat(5000)}"}}\n`))
    expect(message?.kind === 'error' && message.description.length).toBe(301)
  })
})

describe('encodeCommand', () => {
  it('is one line, whatever is in the arguments', () => {
    const line = new TextDecoder().decode(encodeCommand(4, 'device_add', { id: 'a\nb' }))
    expect(line).toBe('{"execute":"device_add","id":4,"arguments":{"id":"a\\nb"}}\n')
  })
})
