import { beforeEach, describe, expect, it } from 'vitest'
import { EPOLLIN } from '../../native/ts/constants/epoll.ts'
import { fake } from '../../native/ts/fake/sys.ts'
import { Fd, pipe } from '../../native/ts/fd.ts'
import { Input } from './input.ts'
import { Output, vsockChunkBytes } from './output.ts'
import type { Expected } from './streams.ts'

/** A stream whose connection comes when the test says so. */
function stream(): { expected: Expected; connect: () => number; isCancelled: () => boolean } {
  let take: (connection: Fd) => void = () => {}
  let isCancelled = false
  return {
    expected: { onConnection: callback => { take = callback }, cancel: () => { isCancelled = true } },
    connect: () => {
      const fd = fake.install({ what: 'connection', reads: fake.channel(), writes: fake.channel(), position: 0 })
      take(new Fd(fd, 'connection'))
      return fd
    },
    isCancelled: () => isCancelled,
  }
}

type Done = (end: { reason: string; errno: number; bytes: number; discardedBytes: number }) => void

/** Ends the last pump, as the native side would. */
async function endPump(reason: string, bytes: number): Promise<void> {
  const done = fake.callsOf('pumpStart').at(-1)?.[1] as Done
  done({ reason, errno: 0, bytes, discardedBytes: 0 })
  await Promise.resolve().then(() => {})
}

/** The host's close, seen by our end. */
function hostCloses(fd: number): void {
  const file = fake.fds.get(fd)
  if (file?.reads) file.reads.writerOpen = false
  fake.ready(fd, EPOLLIN)
}

beforeEach(() => fake.reset())

describe('an output', () => {
  it('is moved in writes that the vsock daemon survives, and never blocks its process', () => {
    const { expected, connect } = stream()
    new Output('stdout', pipe('stdout').reader, expected, () => {})
    expect(fake.callsOf('pumpStart')).toEqual([])
    connect()
    expect(fake.callsOf('pumpStart')[0]?.[0]).toMatchObject({ chunkBytes: vsockChunkBytes, discardOnSinkError: true, totalBytes: -1 })
    expect(vsockChunkBytes).toBeLessThanOrEqual(32_404)
  })

  it('tells its bytes at its end, and keeps the connection until the host has closed it', async () => {
    const { expected, connect } = stream()
    const { reader } = pipe('stdout')
    const told: number[] = []
    const output = new Output('stdout', reader, expected, bytes => void told.push(bytes))
    const connection = connect()
    await endPump('eof', 12)
    await output.ended
    expect(told).toEqual([12])
    expect([reader.open, fake.fds.has(connection)]).toEqual([false, true])
    hostCloses(connection)
    expect(fake.fds.has(connection)).toBe(false)
  })

  it('without a connection is given up when its container is gone', async () => {
    const { expected, isCancelled } = stream()
    const { reader } = pipe('stdout')
    const output = new Output('stdout', reader, expected, () => {})
    output.close()
    await output.ended
    expect([isCancelled(), reader.open]).toEqual([true, false])
  })

  it('that is on its way when its container goes is still delivered', () => {
    const { expected, connect } = stream()
    const { reader } = pipe('stdout')
    const output = new Output('stdout', reader, expected, () => {})
    connect()
    output.close()
    expect(fake.names()).not.toContain('pumpStop')
    expect(reader.open).toBe(true)
  })
})

describe('an input', () => {
  it('ends after the announced bytes, whether they are told before or after the connection', () => {
    const first = stream()
    const early = new Input('stdin', pipe('stdin').writer, first.expected)
    early.endAfter(7n)
    first.connect()
    const second = stream()
    const late = new Input('stdin', pipe('stdin').writer, second.expected)
    second.connect()
    late.endAfter(9n)
    late.endAfter(1n)
    expect(fake.callsOf('pumpSetTotal').map(([, total]) => total)).toEqual([7, 9])
  })

  it('closes the pipe when it has ended, not before', async () => {
    const { expected, connect } = stream()
    const { writer } = pipe('stdin')
    new Input('stdin', writer, expected).endAfter(3n)
    const connection = connect()
    expect(writer.open).toBe(true)
    await endPump('total', 3)
    expect(writer.open).toBe(false)
    hostCloses(connection)
    expect(fake.fds.has(connection)).toBe(false)
  })

  it('of no bytes ends without waiting for its connection', () => {
    const { expected, connect } = stream()
    const { writer } = pipe('stdin')
    new Input('stdin', writer, expected).endAfter(0n)
    expect(writer.open).toBe(false)
    hostCloses(connect())
    expect(fake.names()).not.toContain('pumpStart')
  })

  it('can be ended where it is', () => {
    const { expected, isCancelled } = stream()
    const { writer } = pipe('stdin')
    const input = new Input('stdin', writer, expected)
    input.close()
    input.endAfter(5n)
    expect([isCancelled(), writer.open]).toEqual([true, false])
  })
})
