import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { EPOLLIN, EPOLLRDHUP } from '../../native/ts/constants/epoll.ts'
import { E } from '../../native/ts/errno.ts'
import { fake } from '../../native/ts/fake/sys.ts'
import { Fd } from '../../native/ts/fd.ts'
import { Log } from '../log.ts'
import { Streams } from './streams.ts'

const listenerFd = 50

/** A connection that the listener will accept next; gives the host's end. */
function arrive(): { send: (bytes: number[]) => void; isClosed: () => boolean; fd: number } {
  const incoming = fake.channel()
  const fd = fake.install({ what: 'connection', reads: incoming, writes: fake.channel(), position: 0 })
  const pending = [fd]
  fake.onCall('accept4', () => pending.shift() ?? -E.EAGAIN)
  fake.ready(listenerFd, EPOLLIN)
  return {
    send: bytes => {
      incoming.bytes.push(...bytes)
      while (fake.watches.has(fd) && incoming.bytes.length > 0) fake.ready(fd, EPOLLIN)
    },
    isClosed: () => !fake.fds.has(fd),
    fd,
  }
}

const header = (id: number): number[] => [...new TextEncoder().encode('KTSTREAM'), id, 0, 0, 0, 0, 0, 0, 0]

describe('stream connections', () => {
  let streams: Streams
  let admits: boolean

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    fake.reset()
    admits = true
    const listener = new Fd(listenerFd, 'listener')
    streams = new Streams(listener, () => admits, new Log())
  })
  afterEach(() => void vi.useRealTimers())

  it('are given to the process that expects their id, whichever comes first', () => {
    const taken: string[] = []
    streams.expect(1n).onConnection(connection => void taken.push(`before ${connection.number}`))
    const first = arrive()
    first.send(header(1))
    const second = arrive()
    second.send(header(2))
    expect(streams.waiting).toBe(1)
    streams.expect(2n).onConnection(connection => void taken.push(`after ${connection.number}`))
    expect(taken).toEqual([`before ${first.fd}`, `after ${second.fd}`])
    expect(streams.waiting).toBe(0)
  })

  it('keep every byte behind the header for the process, however the header is cut', () => {
    let fd = -1
    streams.expect(7n).onConnection(connection => { fd = connection.number })
    const connection = arrive()
    for (const byte of header(7)) connection.send([byte])
    fake.fds.get(fd)?.reads?.bytes.push(104, 105)
    const buffer = new Uint8Array(8)
    expect(fake.readFd(fd, buffer, 0, 8)).toBe(2)
  })

  it('are read no further than the header', () => {
    let fd = -1
    streams.expect(7n).onConnection(connection => { fd = connection.number })
    arrive().send([...header(7), 42])
    expect(fake.fds.get(fd)?.reads?.bytes).toEqual([42])
  })

  it('are closed when the header is malformed, has id 0, or ends early', () => {
    const malformed = arrive()
    malformed.send([...new TextEncoder().encode('GET / HT'), 1, 0, 0, 0, 0, 0, 0, 0])
    const zero = arrive()
    zero.send(header(0))
    const short = arrive()
    const file = fake.fds.get(short.fd)
    if (file?.reads) file.reads.writerOpen = false
    fake.ready(short.fd, EPOLLIN)
    expect([malformed.isClosed(), zero.isClosed(), short.isClosed()]).toEqual([true, true, true])
    expect(streams.waiting).toBe(0)
  })

  it('are closed when they are not the host’s', () => {
    admits = false
    expect(arrive().isClosed()).toBe(true)
  })

  it('wait a minute for their process and a moment longer, in which what came meanwhile is read', () => {
    const nameless = arrive()
    const unwanted = arrive()
    unwanted.send(header(9))
    const late = arrive()
    let taken = false
    streams.expect(8n).onConnection(() => { taken = true })
    vi.advanceTimersByTime(60_000)
    late.send(header(8))
    expect(taken).toBe(true)
    vi.advanceTimersByTime(999)
    expect([nameless.isClosed(), unwanted.isClosed()]).toEqual([false, false])
    vi.advanceTimersByTime(1)
    expect([nameless.isClosed(), unwanted.isClosed()]).toEqual([true, true])
    expect(fake.held()).toMatchObject({ fds: ['connection'], watches: [listenerFd] })
  })

  it('that the host closes before a process takes them are closed here, too', () => {
    const connection = arrive()
    connection.send(header(9))
    expect(fake.watches.get(connection.fd)?.events).toBe(EPOLLRDHUP)
    fake.ready(connection.fd, EPOLLRDHUP)
    expect(connection.isClosed()).toBe(true)
    expect(streams.waiting).toBe(0)
  })

  it('are bounded: the 257th that waits is closed', () => {
    const waiting = Array.from({ length: 256 }, () => arrive())
    expect(arrive().isClosed()).toBe(true)
    expect(waiting.some(connection => connection.isClosed())).toBe(false)
  })

  it('have one process an id', () => {
    streams.expect(3n)
    expect(() => streams.expect(3n)).toThrow('stream 3 is expected by a process already')
  })

  it('of a process that was given up are closed', () => {
    const expected = streams.expect(4n)
    const early = arrive()
    early.send(header(4))
    expected.cancel()
    expect(early.isClosed()).toBe(true)
    expect(() => streams.expect(4n)).not.toThrow()
  })
})
