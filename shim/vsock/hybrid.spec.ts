import * as sys from 'native:sys'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { fake } from '../../native/ts/fake/sys.ts'
import { MSG_PEEK } from '../../native/ts/constants/socket.ts'
import { Fd } from '../../native/ts/fd.ts'
import { connectHybrid } from './hybrid.ts'

/** recv(2) with MSG_PEEK, which the fake kernel does not know. */
function peekable(): void {
  fake.onCall('recv', (...[fd, buffer, offset, length, flags]: [number, Uint8Array, number, number, number]) => {
    const channel = fake.fds.get(fd)?.reads
    if (flags !== MSG_PEEK || !channel || channel.bytes.length === 0) return fake.readFd(fd, buffer, offset, length)
    const seen = channel.bytes.slice(0, length)
    buffer.set(seen, offset)
    return seen.length
  })
}

function dialled(port = 1025): { opening: Promise<Fd>; say: (text: string) => void; hangUp: () => void; heard: () => string } {
  const ends = sys.socketpair(1, 1, 0)
  if (typeof ends === 'number') throw new Error('socketpair')
  const theirs = new Fd(ends[1], 'daemon')
  return {
    opening: connectHybrid(new Fd(ends[0], `guest port ${port}`), port),
    say: text => { const bytes = new TextEncoder().encode(text); sys.write(theirs.number, bytes, 0, bytes.length) },
    hangUp: () => theirs.close(),
    heard: () => {
      const buffer = new Uint8Array(64)
      const got = sys.read(theirs.number, buffer, 0, buffer.length)
      return got > 0 ? new TextDecoder().decode(buffer.subarray(0, got)) : ''
    },
  }
}

describe('connectHybrid', () => {
  beforeEach(() => {
    fake.reset()
    peekable()
  })

  it('asks for the port, waits for OK, and takes not a byte of what follows', async () => {
    const { opening, say, heard } = dialled()
    expect(heard()).toBe('CONNECT 1025\n')
    say('OK 1073741824\nhello')
    const fd = await opening
    const buffer = new Uint8Array(16)
    expect(new TextDecoder().decode(buffer.subarray(0, sys.read(fd.number, buffer, 0, 16)))).toBe('hello')
  })

  it('waits for an answer that comes in pieces', async () => {
    const { opening, say } = dialled()
    say('O')
    await new Promise(resolve => setImmediate(resolve))
    say('K 7')
    await new Promise(resolve => setImmediate(resolve))
    say('\n')
    expect((await opening).open).toBe(true)
  })

  it('says nothing more until the answer is there', async () => {
    const { opening, say, heard } = dialled()
    heard()
    await new Promise(resolve => setImmediate(resolve))
    expect(heard()).toBe('')
    say('OK 1\n')
    await opening
  })

  it.each([
    ['ends: nobody listens', undefined, 'guest port 1025: the guest does not answer there'],
    ['says something else', 'NO 1\n', 'expected OK, received "NO 1"'],
    ['never ends its line', 'OK 11111111111111111111', 'answer of more than 14 bytes'],
    ['says OK with more behind the number', 'OK 1 x\n', 'expected OK'],
  ])('closes the socket when the daemon %s', async (_what, text, message) => {
    const { opening, say, hangUp } = dialled()
    const refused = expect(opening).rejects.toThrow(message)
    if (text === undefined) hangUp()
    else say(text)
    await refused
    await vi.waitFor(() => expect(fake.held().fds.filter(what => what === 'socket a')).toEqual([]))
    expect(fake.held().watches).toEqual([])
  })
})
