import * as sys from 'native:sys'
import { beforeEach, describe, expect, it } from 'vitest'
import { Connection } from '../../../native/ts/connection.ts'
import { Fd } from '../../../native/ts/fd.ts'
import { fake } from '../../../native/ts/fake/sys.ts'
import { decodeMessage, encodeMessage, type Message, messageLength } from '../../../protocol/dbus/message.ts'
import { Bus } from './bus.ts'

beforeEach(() => fake.reset())

const text = (words: string) => new Uint8Array(Buffer.from(words, 'latin1'))

/** A peer that says `welcome` to AUTH, then what `answer` gives for each call. */
function peer(welcome: string, answer: (call: Message) => Uint8Array[] = () => []): { connection: Connection; heard: Message[]; other: Connection; auth: () => string } {
  const ends = sys.socketpair(1, 1, 0)
  if (typeof ends === 'number') throw new Error('socketpair')
  const heard: Message[] = []
  const other = new Connection(new Fd(ends[1], 'systemd'))
  let bytes = Buffer.alloc(0)
  let auth: string | undefined
  other.onData(chunk => {
    bytes = Buffer.concat([bytes, chunk])
    const begin = bytes.indexOf('BEGIN\r\n')
    if (auth === undefined && begin >= 0) {
      auth = bytes.toString('latin1', 0, begin)
      bytes = bytes.subarray(begin + 'BEGIN\r\n'.length)
      // In pieces: the end of a line need not come with it.
      for (const piece of welcome.match(/[^]{1,7}/g) ?? []) other.write(text(piece))
    }
    for (let length = messageLength(bytes); length !== undefined && length <= bytes.length; length = messageLength(bytes)) {
      const call = decodeMessage(new Uint8Array(bytes.subarray(0, length)))
      bytes = bytes.subarray(length)
      heard.push(call)
      for (const reply of answer(call)) other.write(reply)
    }
  })
  return { connection: new Connection(new Fd(ends[0], 'ours')), heard, other, auth: () => auth ?? '' }
}

const welcome = 'OK 0123456789abcdef0123456789abcdef\r\n'
const call = { destination: 'd', path: '/p', interface: 'a.b', member: 'Ask', signature: 's', body: ['x'] }
const answerTo = (serial: number, body: string) => encodeMessage({ type: 2, serial: 7, replySerial: serial, signature: 's', body: [body] })

describe('a conversation with systemd', () => {
  it('begins with who we are, and pairs answers with calls whatever their order', async () => {
    const waiting: number[] = []
    const { connection, auth } = peer(welcome, ({ serial }) => {
      waiting.push(serial)
      return waiting.length < 2 ? [] : waiting.reverse().map(each => answerTo(each, `to ${each}`))
    })
    using bus = await Bus.over(connection, '/s', 1000)
    expect(auth()).toBe('\0AUTH EXTERNAL 31303030\r\n')
    expect(await Promise.all([bus.call(call), bus.call(call)])).toEqual([['to 1'], ['to 2']])
  })

  it('gives errors by their name, and signals between answers', async () => {
    const { connection } = peer(welcome, ({ serial }) => [
      encodeMessage({ type: 4, serial: 1, path: '/p', interface: 'a.b', member: 'JobRemoved', signature: 'u', body: [3] }),
      encodeMessage({ type: 3, serial: 2, replySerial: serial, errorName: 'a.b.No', signature: 's', body: ['it is so'] }),
    ])
    using bus = await Bus.over(connection, '/s', 0)
    const signals: Message[] = []
    bus.onSignal = signal => { signals.push(signal) }
    await expect(bus.call(call)).rejects.toMatchObject({ errorName: 'a.b.No', message: 'systemd: Ask: it is so' })
    expect(signals).toMatchObject([{ member: 'JobRemoved', body: [3] }])
  })

  it('does not begin with who refuses us, and leaves nothing open', async () => {
    const { connection, other } = peer('REJECTED EXTERNAL\r\n')
    await expect(Bus.over(connection, '/s', 0)).rejects.toThrow(/what is no D-Bus/)
    other.close()
    expect(fake.held()).toMatchObject({ fds: [], watches: [] })
  })

  it.each([['says nothing that is D-Bus', () => [text('x'.repeat(64))]], ['goes away', undefined]])('ends every wait when the peer %s', async (_what, answer) => {
    const { connection, other } = peer(welcome, answer)
    const bus = await Bus.over(connection, '/s', 0)
    const asked = bus.call(call)
    if (!answer) other.close()
    await expect(asked).rejects.toThrow(/systemd (said what is no D-Bus|closed its connection)/)
    await expect(bus.call(call)).rejects.toThrow(/is closed/)
  })
})
