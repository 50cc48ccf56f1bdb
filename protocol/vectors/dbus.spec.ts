/** Our D-Bus messages against systemd's own: dbus.json holds the bytes, this file what they mean. */
import { describe, expect, it } from 'vitest'
import { decodeMessage, encodeMessage, messageLength, type Message } from '../dbus/message.ts'
import vectors from './dbus.json' with { type: 'json' }

const bytesOf = (what: string) => new Uint8Array(Buffer.from(vectors.messages.find(each => each.what === what)?.hex ?? '', 'hex'))
const object = { path: '/org/freedesktop/systemd1', destination: 'org.freedesktop.systemd1', interface: 'org.freedesktop.systemd1.Manager' }
const variant = (signature: string, value: unknown) => ({ signature, value })

describe('a call of systemctl or systemd-run', () => {
  it.each([
    ['call SetUnitProperties', { member: 'SetUnitProperties', signature: 'sba(sv)', body: ['init.scope', true, [['TasksMax', variant('t', 1000n)], ['CPUWeight', variant('t', 77n)]]] }],
    ['call StopUnit', { member: 'StopUnit', signature: 'ss', body: ['nosuch.scope', 'replace'] }],
  ])('%s is read, and written with the same bytes', (what, means) => {
    const bytes = bytesOf(what)
    const read = decodeMessage(bytes)
    expect(read).toEqual({ ...object, type: 1, serial: 1, ...means })
    // Its flags (the third byte) allow systemd to ask for a password.
    expect(encodeMessage(read)).toEqual(bytes.with(2, 0))
  })

  it('StartTransientUnit, with nested lists, is read, and written with the same bytes', () => {
    const bytes = bytesOf('call StartTransientUnit')
    const read = decodeMessage(bytes)
    expect(read).toMatchObject({ member: 'StartTransientUnit', signature: 'ssa(sv)a(sa(sv))', body: ['cap1.scope', 'fail', expect.arrayContaining([['DeviceAllow', variant('a(ss)', [['/dev/null', 'rw']])], ['Slice', variant('s', 'x-y.slice')]]), []] })
    expect(encodeMessage(read)).toEqual(bytes.with(2, 0))
  })
})

describe('what systemd says', () => {
  it('an answer, an error and a signal', () => {
    expect(decodeMessage(bytesOf('answer o'))).toMatchObject({ type: 2, replySerial: 1, signature: 'o', body: [expect.stringMatching(/^\/org\/freedesktop\/systemd1\/job\/\d+$/)] })
    expect(decodeMessage(bytesOf('answer empty'))).toMatchObject({ type: 2, replySerial: 1, body: [] })
    expect(decodeMessage(bytesOf('error NoSuchUnit'))).toMatchObject({ type: 3, errorName: 'org.freedesktop.systemd1.NoSuchUnit', body: ['Unit nosuch.scope not loaded.'] })
    expect(decodeMessage(bytesOf('signal JobRemoved'))).toMatchObject({ type: 4, member: 'JobRemoved', signature: 'uoss', body: [expect.any(Number), expect.any(String), expect.any(String), 'done'] })
  })

  it('all of its properties', () => {
    const [properties] = decodeMessage(bytesOf('answer a{sv}')).body as [[string, { signature: string; value: unknown }][]]
    expect(Object.fromEntries(properties)).toMatchObject({ Version: variant('s', '252.38-1~deb12u1'), ControlGroup: variant('s', ''), DefaultCPUAccounting: variant('b', expect.any(Boolean)) })
  })

  it('the body of a message that nobody wants is not read', () => {
    expect(decodeMessage(bytesOf('answer a{sv}'), () => false).body).toEqual([])
  })
})

describe('a D-Bus message that is none', () => {
  const whole = bytesOf('call StartTransientUnit')

  it('is known by its first bytes, which also tell how long one is', () => {
    expect(messageLength(whole)).toBe(whole.length)
    expect(messageLength(whole.subarray(0, 15))).toBeUndefined()
    expect(() => messageLength(whole.with(0, 'B'.charCodeAt(0)))).toThrow(/little-endian/)
    expect(() => messageLength(whole.with(7, 1))).toThrow(/longer than/)
  })

  it('is refused wherever it is cut off, and never read past its end', () => {
    for (let end = 16; end < whole.length; end++) expect(() => decodeMessage(whole.slice(0, end)), `${end} bytes`).toThrow()
  })

  it('is refused or read as something else, and nothing worse, with any byte changed', () => {
    for (let at = 0; at < whole.length; at++) for (const byte of [0, 1, 0x7f, 0x80, 0xff]) {
      try {
        expect(decodeMessage(whole.with(at, byte))).toHaveProperty('body')
      } catch (error) {
        expect(error instanceof RangeError || error instanceof TypeError, String(error)).toBe(true)
      }
    }
  })

  it('is refused when its type nests too deep', () => {
    const deep: Message = { ...object, type: 1, serial: 1, signature: `${'a'.repeat(40)}s`, body: [] }
    expect(() => encodeMessage(deep)).toThrow(/nested too deep/)
    expect(() => encodeMessage({ ...deep, signature: 'a()' })).toThrow(/empty struct/)
  })
})
