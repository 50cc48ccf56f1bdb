import * as sys from 'native:sys'
import { sleep } from '../../../native/ts/clock.ts'
import { F_GETFL, O_NONBLOCK } from '../../../native/ts/constants/fcntl.ts'
import { AF_UNIX, SOCK_STREAM } from '../../../native/ts/constants/socket.ts'
import { E } from '../../../native/ts/errno.ts'
import { Pump } from '../../../native/ts/pump.ts'
import { equal, ok, pair, runCases, typeError, writeAll } from './harness.ts'

const kilobyte = new Uint8Array(1024)
const pipe = (): [number, number] => pair(sys.pipe2(0))
const unix = (): [number, number] => pair(sys.socketpair(AF_UNIX, SOCK_STREAM, 0))

function closeAll(...fds: number[]): void {
  for (const fd of fds) sys.close(fd)
}

/** What is to be read without waiting. */
function available(fd: number): number {
  const buffer = new Uint8Array(1 << 20)
  sys.fcntl(fd, 4, O_NONBLOCK)
  let bytes = 0
  for (;;) {
    const got = sys.read(fd, buffer, 0, buffer.length)
    if (got <= 0) return bytes
    bytes += got
  }
}

await runCases({
  'a total ends the pump there, and what follows stays in the source': async () => {
    for (const make of [pipe, unix]) {
      const [reader, writer] = make()
      const [out, sink] = pipe()
      writeAll(writer, kilobyte)
      const end = await new Pump('test', { source: reader, sink, totalBytes: 1000 }).ended
      equal(end, { reason: 'total', errno: 0, bytes: 1000, discardedBytes: 0 })
      equal([available(out), available(reader)], [1000, 24])
      closeAll(reader, writer, out, sink)
    }
  },

  'a total that is told later ends it too, at once when it was reached': async () => {
    const [reader, writer] = pipe()
    const [out, sink] = unix()
    const pump = new Pump('test', { source: reader, sink, shutdownSink: true })
    writeAll(writer, kilobyte)
    await sleep(2)
    equal(pump.bytes, 1024)
    pump.setTotal(2048)
    writeAll(writer, kilobyte)
    equal(await pump.ended, { reason: 'total', errno: 0, bytes: 2048, discardedBytes: 0 })
    equal([available(out), sys.read(out, kilobyte, 0, 1)], [2048, 0])
    const late = new Pump('test', { source: reader, sink: writer })
    late.setTotal(0)
    equal((await late.ended).reason, 'total')
    closeAll(reader, writer, out, sink)
  },

  'a source that ends before its total says so': async () => {
    const [reader, writer] = pipe()
    const [out, sink] = pipe()
    writeAll(writer, kilobyte)
    sys.close(writer)
    equal(await new Pump('test', { source: reader, sink, totalBytes: 5000 }).ended, { reason: 'eof', errno: 0, bytes: 1024, discardedBytes: 0 })
    closeAll(reader, out, sink)
  },

  'the end is shut down only when asked for, and only after the last byte': async () => {
    for (const shutdownSink of [false, true]) {
      const [reader, writer] = pipe()
      const [out, sink] = unix()
      writeAll(writer, kilobyte)
      sys.close(writer)
      await new Pump('test', { source: reader, sink, shutdownSink }).ended
      equal(available(out), 1024)
      equal(sys.read(out, kilobyte, 0, 1), shutdownSink ? 0 : -E.EAGAIN)
      // The other direction is open all the same.
      equal(sys.write(out, kilobyte, 0, 5), 5)
      closeAll(reader, out, sink)
    }
  },

  'a sink that is gone ends the pump, even while the source is silent': async () => {
    for (const make of [pipe, unix]) {
      const [reader, writer] = pipe()
      const [out, sink] = make()
      const pump = new Pump('test', { source: reader, sink })
      await sleep(1)
      sys.close(out)
      equal(await pump.ended, { reason: 'sink', errno: E.EPIPE, bytes: 0, discardedBytes: 0 })
      closeAll(reader, writer, sink)
    }
  },

  'a sink that is gone makes a discarding pump drain its source': async () => {
    for (const make of [pipe, unix]) {
      const [reader, writer] = pipe()
      const [out, sink] = make()
      const pump = new Pump('test', { source: reader, sink, discardOnSinkError: true })
      writeAll(writer, kilobyte)
      await sleep(2)
      equal(available(out), 1024)
      sys.close(out)
      for (let count = 0; count < 300; count++) {
        writeAll(writer, kilobyte)
        if (count % 50 === 0) await sleep(1)
      }
      sys.close(writer)
      equal(await pump.ended, { reason: 'eof', errno: 0, bytes: 1024, discardedBytes: 300 * 1024 })
      closeAll(reader, sink)
    }
  },

  'a full sink stops the reading: the writer feels it': async () => {
    const [reader, writer] = pair(sys.pipe2(O_NONBLOCK))
    const [out, sink] = pipe()
    const pump = new Pump('test', { source: reader, sink })
    let written = 0
    for (let idle = 0; idle < 20;) {
      const count = sys.write(writer, kilobyte, 0, 1024)
      if (count > 0) {
        written += count
        idle = 0
        continue
      }
      idle++
      await sleep(1)
    }
    // Two pipes of 64 KiB and nothing in between.
    ok(written <= 2 * 65536 + 4096, `${written} bytes were taken`)
    equal(available(out) > 0, true)
    sys.close(writer)
    while (pump.bytes < written) {
      available(out)
      await sleep(1)
    }
    equal(await pump.ended, { reason: 'eof', errno: 0, bytes: written, discardedBytes: 0 })
    closeAll(reader, out, sink)
  },

  'the end of the source is seen although the sink is full': async () => {
    for (const make of [pipe, unix]) {
      const [reader, writer] = pipe()
      const [out, sink] = make()
      sys.fcntl(sink, 4, O_NONBLOCK | 1)
      const fill = new Uint8Array(1 << 20)
      while (sys.write(sink, fill, 0, fill.length) > 0);
      const pump = new Pump('test', { source: reader, sink })
      await sleep(1)
      sys.close(writer)
      equal(await pump.ended, { reason: 'eof', errno: 0, bytes: 0, discardedBytes: 0 })
      closeAll(reader, out, sink)
    }
  },

  'stop ends it now, and the fds are the caller’s again': async () => {
    const [reader, writer] = pipe()
    const [out, sink] = pipe()
    const pump = new Pump('test', { source: reader, sink })
    writeAll(writer, kilobyte)
    await sleep(2)
    pump.stop()
    equal(await pump.ended, { reason: 'stopped', errno: 0, bytes: 1024, discardedBytes: 0 })
    writeAll(writer, kilobyte)
    await sleep(2)
    equal([available(out), available(reader)], [1024, 1024])
    closeAll(reader, writer, out, sink)
  },

  'a FIFO waits for its first writer, and ends with its last': async () => {
    const path = `/tmp/kata-ts-fifo-${sys.getpid()}`
    equal(sys.mknodat(-100, path, 0o010600, 0, 0), 0)
    const reader = sys.openat(-100, path, O_NONBLOCK, 0)
    const [out, sink] = pipe()
    const pump = new Pump('test', { source: reader, sink })
    await sleep(10)
    equal(pump.bytes, 0)
    const writer = sys.openat(-100, path, 1, 0)
    writeAll(writer, kilobyte)
    sys.close(writer)
    equal((await pump.ended).bytes, 1024)
    equal(available(out), 1024)
    sys.unlinkat(-100, path, 0)
    closeAll(reader, out, sink)
  },

  'O_NONBLOCK is not set on what the caller shares with others': async () => {
    const [reader, writer] = pipe()
    const [out, sink] = unix()
    const pump = new Pump('test', { source: reader, sink })
    await sleep(1)
    for (const fd of [reader, sink]) equal(sys.fcntl(fd, F_GETFL, 0) & O_NONBLOCK, 0)
    pump.stop()
    await pump.ended
    closeAll(reader, writer, out, sink)
  },

  'wrong arguments': () => {
    const options = { source: 9999, sink: 1, totalBytes: -1, chunkBytes: 1, shutdownSink: false, discardOnSinkError: false }
    equal(sys.pumpStart(options, () => {}), -E.EBADF)
    equal(typeError(() => sys.pumpStart({ ...options, chunkBytes: 0 }, () => {})), 'native:sys: arguments must be options with chunkBytes above 0')
    equal([sys.pumpBytes(77), sys.pumpSetTotal(77, 1), sys.pumpStop(77)], [-E.ENOENT, -E.ENOENT, -E.ENOENT])
  },

  'a thousand pumps leave no fd and no memory': async () => {
    const round = async (): Promise<void> => {
      for (let count = 0; count < 500; count++) {
        const [reader, writer] = pipe()
        const [out, sink] = unix()
        writeAll(writer, kilobyte)
        sys.close(writer)
        await new Pump('test', { source: reader, sink, shutdownSink: true }).ended
        closeAll(reader, out, sink)
      }
    }
    await round()
    sys.gc()
    const before = sys.memoryUsage().heapBytes
    await round()
    sys.gc()
    ok(sys.memoryUsage().heapBytes - before < 5000, 'the heap grew')
  },
})
