import { beforeEach, describe, expect, it } from 'vitest'
import type * as sys from 'native:sys'
import { fake } from '../../native/ts/fake/sys.ts'
import { Fd } from '../../native/ts/fd.ts'
import { connectStream, streamHeader } from './connect.ts'
import { StreamBroker } from '../streaming/broker.ts'
import { FifoInput } from './input-source.ts'
import { InputStream } from './input.ts'
import { OutputStream } from './output.ts'
import { Stdio } from './stdio.ts'

const S_IFIFO = 0o010000

function fd(what: string): Fd {
  return new Fd(fake.install({ what, position: 0 }), what)
}

/** Ends the pump that was started last, as the kernel side would. */
function pumpEnds(end: Partial<sys.PumpEnd>): void {
  const done = fake.callsOf('pumpStart').at(-1)?.[1] as (end: sys.PumpEnd) => void
  done({ reason: 'eof', errno: 0, bytes: 0, discardedBytes: 0, ...end })
}

/** Makes the files below /fifo appear as FIFOs. */
function fifos(): void {
  for (const name of ['stdin', 'stdout', 'stderr']) fake.put(`/fifo/${name}`, '')
  fake.onCall('statx', () => ({ mode: S_IFIFO | 0o600 }))
}

beforeEach(() => fake.reset())

describe('streamHeader', () => {
  it('is KTSTREAM and the id, little end first', () => {
    expect([...streamHeader(0x0102n)]).toEqual([...new TextEncoder().encode('KTSTREAM'), 2, 1, 0, 0, 0, 0, 0, 0])
  })
})

describe('connectStream', () => {
  it('closes the connection when the header cannot be sent', async () => {
    fake.fail('send', 32)
    await expect(connectStream(async () => fd('guest'), 1n)).rejects.toThrow('send guest: EPIPE')
    expect(fake.held().fds).toEqual([])
  })
})

describe('OutputStream', () => {
  it('closes both ends only when the announced bytes are counted', async () => {
    const stream = new OutputStream(1n, 'stdout of c1')
    stream.place(fd('sink'), fd('keeper'))
    stream.attach(fd('guest'))
    stream.setTotal(5n)
    expect(fake.callsOf('pumpSetTotal')).toEqual([[1, 5]])
    expect(fake.held().fds).toEqual(['sink', 'keeper', 'guest'])
    pumpEnds({ reason: 'total', bytes: 5 })
    expect(await stream.drained).toBe('complete')
    expect(fake.held().fds).toEqual([])
  })

  it('takes an end that is told before the connection stands', () => {
    const stream = new OutputStream(1n, 'stdout')
    stream.place(fd('sink'), fd('keeper'))
    stream.setTotal(0n)
    stream.attach(fd('guest'))
    expect(fake.callsOf('pumpSetTotal')).toEqual([[1, 0]])
  })

  it('does not let a liar move the end', () => {
    const stream = new OutputStream(1n, 'stdout')
    stream.place(fd('sink'), fd('keeper'))
    stream.attach(fd('guest'))
    stream.setTotal(2n ** 63n)
    stream.setTotal(7n)
    expect(fake.callsOf('pumpSetTotal')).toEqual([[1, 0]])
  })

  it('is cut when the connection ends first, and goes on for a reader that is gone', async () => {
    const stream = new OutputStream(1n, 'stdout')
    stream.place(fd('sink'), fd('keeper'))
    stream.attach(fd('guest'))
    expect(fake.callsOf('pumpStart')[0]?.[0]).toMatchObject({ discardOnSinkError: true })
    pumpEnds({ reason: 'eof' })
    expect(await stream.drained).toBe('cut')
  })

  it('closes a connection that comes after its end', () => {
    const stream = new OutputStream(1n, 'stdout')
    stream.place(fd('sink'), fd('keeper'))
    stream.close()
    stream.attach(fd('guest'))
    expect(fake.held().fds).toEqual([])
  })
})

describe('InputStream', () => {
  it('holds a writer until CloseIO, so that no client ends the input by leaving', async () => {
    fifos()
    const stream = new InputStream(2n, 'stdin of c1', new FifoInput('/fifo/stdin'))
    stream.attach(fd('guest'))
    stream.start()
    expect(fake.held().fds).toEqual(['guest', '/fifo/stdin', '/fifo/stdin'])
    stream.closeInput()
    expect(fake.held().fds).toEqual(['guest', '/fifo/stdin'])
    pumpEnds({ reason: 'eof', bytes: 12 })
    expect(await stream.ended).toBe(12n)
    expect(fake.held().fds).toEqual(['guest', '/fifo/stdin'])
    stream.close()
    expect(fake.held().fds).toEqual([])
  })

  it('touches the FIFO only when the process starts, and holds no writer after a CloseIO that came before', () => {
    fifos()
    const stream = new InputStream(2n, 'stdin', new FifoInput('/fifo/stdin'))
    stream.attach(fd('guest'))
    expect(fake.callsOf('openat')).toEqual([])
    stream.closeInput()
    stream.start()
    expect(fake.held().fds).toEqual(['guest', '/fifo/stdin'])
    expect(fake.callsOf('pumpStart')).toHaveLength(1)
  })

  it('tells no byte count when the guest went first', async () => {
    fifos()
    const stream = new InputStream(2n, 'stdin', new FifoInput('/fifo/stdin'))
    stream.start()
    stream.attach(fd('guest'))
    pumpEnds({ reason: 'sink', errno: 32, bytes: 3 })
    expect(await stream.ended).toBeUndefined()
  })
})

describe('Stdio', () => {
  const context = (): Parameters<typeof Stdio.open>[1] => {
    let last = 0n
    return { namespace: 'n', containerId: 'c1', env: [], nextStreamId: () => ++last, broker: new StreamBroker() }
  }

  it('gives a terminal no stderr, and what is not connected the id 0', async () => {
    fifos()
    const stdio = await Stdio.open({ stdin: '', stdout: '/fifo/stdout', stderr: '/fifo/stderr', terminal: true }, context())
    expect(stdio.streams).toEqual({ stdinStream: 0n, stdoutStream: 1n, stderrStream: 0n })
  })

  it.each([0, 1, 2, 3])('holds nothing when open number %i fails', async after => {
    fifos()
    fake.fail('openat', 13, after)
    await expect(Stdio.open({ stdin: '/fifo/stdin', stdout: '/fifo/stdout', stderr: '/fifo/stderr', terminal: false }, context())).rejects.toThrow('EACCES')
    expect(fake.held().fds).toEqual([])
  })

  it('appends to a file that both outputs name', async () => {
    const stdio = await Stdio.open({ stdin: '', stdout: 'file:///var/log/c1', stderr: 'file:///var/log/c1', terminal: false }, context())
    expect(fake.callsOf('openat').map(([, , flags]) => Number(flags) & 0o2000)).toEqual([0o2000, 0o2000])
    await stdio.close()
    expect(fake.held().fds).toEqual([])
  })

  it('waits for the first reader of a FIFO, so that what a fast process wrote is not gone before it comes', async () => {
    fifos()
    let readers = 0
    fake.onCall('openat', (_dirfd: number, path: string, flags: number) => (flags & 1) === 1 && readers === 0 ? -6 : fake.install({ what: path, position: 0 }))
    const stdio = await Stdio.open({ stdin: '', stdout: '/fifo/stdout', stderr: '', terminal: false }, context())
    await stdio.connect(async () => fd('guest'))
    stdio.stdout?.setTotal(4n)
    expect(fake.callsOf('pumpStart')).toEqual([])
    readers = 1
    await expect.poll(() => fake.callsOf('pumpStart')).toHaveLength(1)
    expect(fake.callsOf('pumpSetTotal')).toEqual([[1, 4]])
  })

  it('closes all when one stream cannot be connected', async () => {
    fifos()
    const stdio = await Stdio.open({ stdin: '', stdout: '/fifo/stdout', stderr: '/fifo/stderr', terminal: false }, context())
    let nth = 0
    await expect(stdio.connect(async () => { if (nth++ === 1) throw new Error('no answer'); return fd('guest') })).rejects.toThrow('no answer')
    await stdio.close()
    for (const call of fake.callsOf('pumpStart')) (call[1] as (end: sys.PumpEnd) => void)({ reason: 'stopped', errno: 0, bytes: 0, discardedBytes: 0 })
    await Promise.resolve()
    await Promise.resolve()
    expect(fake.held().fds).toEqual([])
  })
})
