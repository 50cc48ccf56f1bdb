import * as sys from 'native:sys'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { Connection } from './connection.ts'
import { E } from './errno.ts'
import { fake } from './fake/sys.ts'
import { Fd } from './fd.ts'

function pair(): [Connection, Fd] {
  const ends = sys.socketpair(1, 1, 0)
  if (typeof ends === 'number') throw new Error('socketpair')
  return [new Connection(new Fd(ends[0], 'ours')), new Fd(ends[1], 'theirs')]
}

describe('Connection', () => {
  beforeEach(() => fake.reset())

  it('gives what the peer sends, then its end', async () => {
    const [connection, peer] = pair()
    const got: number[] = []
    const closed = new Promise(resolve => connection.onClose(resolve))
    connection.onData(bytes => got.push(...bytes))
    sys.write(peer.number, new Uint8Array([1, 2, 3]), 0, 3)
    peer.close()
    expect(await closed).toBeUndefined()
    expect(got).toEqual([1, 2, 3])
    expect(fake.held()).toMatchObject({ fds: [], watches: [] })
  })

  it('sends descriptors with the bytes they belong to, and closes them then or when it ends', async () => {
    const [connection] = pair()
    const lent = (): Fd => new Fd(Number(sys.eventfd(0, 0)), 'lent')
    const sent = lent()
    connection.writeWithFds(new Uint8Array([1]), [sent])
    expect(fake.callsOf('sendFds')).toHaveLength(1)
    expect(sent.open).toBe(false)
    fake.fail('sendFds', E.EAGAIN)
    const queued = lent()
    connection.writeWithFds(new Uint8Array([2]), [queued])
    expect(queued.open).toBe(true)
    connection.close()
    expect(queued.open).toBe(false)
    const late = lent()
    connection.writeWithFds(new Uint8Array([3]), [late])
    expect(late.open).toBe(false)
  })

  it('keeps the order of writes across a full socket', async () => {
    const [connection, peer] = pair()
    fake.fail('send', E.EAGAIN)
    connection.write(new Uint8Array([1]))
    connection.write(new Uint8Array([2, 3]))
    expect(connection.queuedBytes).toBe(3)
    await vi.waitFor(() => expect(connection.queuedBytes).toBe(0))
    const buffer = new Uint8Array(8)
    expect(sys.read(peer.number, buffer, 0, 8)).toBe(3)
    expect([...buffer.subarray(0, 3)]).toEqual([1, 2, 3])
  })

  it('ends when the peer leaves more unread than it may', () => {
    const ends = sys.socketpair(1, 1, 0)
    if (typeof ends === 'number') throw new Error('socketpair')
    const connection = new Connection(new Fd(ends[0], 'ours'), 3)
    const errors: (Error | undefined)[] = []
    connection.onClose(error => errors.push(error))
    fake.fail('send', E.EAGAIN)
    connection.write(new Uint8Array(3))
    expect(connection.isOpen).toBe(true)
    connection.write(new Uint8Array(1))
    expect(errors.map(error => error?.message)).toEqual(['ours: the peer does not read: more than 3 bytes wait for it'])
    expect(fake.held()).toMatchObject({ watches: [] })
  })

  it('reports a failed send once, and closes', () => {
    const [connection] = pair()
    const errors: (Error | undefined)[] = []
    connection.onClose(error => errors.push(error))
    fake.fail('send', E.EPIPE)
    connection.write(new Uint8Array([1]))
    connection.write(new Uint8Array([2]))
    connection.close()
    expect(errors.map(error => error?.message)).toEqual(['send ours: EPIPE (broken pipe)'])
    expect(connection.isOpen).toBe(false)
  })
})
