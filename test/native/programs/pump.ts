import * as sys from 'native:sys'
import { F_GETFL, F_SETFL, O_NONBLOCK } from '../../../native/ts/constants/fcntl.ts'
import { AF_UNIX, SOCK_STREAM } from '../../../native/ts/constants/socket.ts'
import { openPty } from '../../../native/ts/pty.ts'
import { Pump, type PumpPlan } from '../../../native/ts/pump.ts'
import { equal, forked, ok, pair, print, runCases, waitFor } from './harness.ts'

/** Both ends of a channel, and how its fds came to be. */
interface Channel {
  reader: number
  writer: number
}

type Kind = 'pipe' | 'pipe O_NONBLOCK' | 'unix' | 'unix O_NONBLOCK' | 'fifo'

function channel(kind: Kind): Channel {
  const [reader, writer] = kind === 'fifo' ? fifo() : kind.startsWith('pipe') ? pair(sys.pipe2(0)) : pair(sys.socketpair(AF_UNIX, SOCK_STREAM, 0))
  return { reader, writer }
}

let fifos = 0

function fifo(): [number, number] {
  const path = `/tmp/kata-ts-fifo-${sys.getpid()}-${fifos++}`
  equal(sys.mknodat(-100, path, 0o010600, 0, 0), 0)
  const reader = sys.openat(-100, path, O_NONBLOCK, 0)
  const writer = sys.openat(-100, path, 1, 0)
  sys.fcntl(reader, F_SETFL, 0)
  sys.unlinkat(-100, path, 0)
  return [reader, writer]
}

/** The pump's end of the channel is made non-blocking where the kind says so; the other end stays as it is. */
function setMode(fd: number, kind: Kind): number {
  if (kind.endsWith('O_NONBLOCK')) sys.fcntl(fd, F_SETFL, sys.fcntl(fd, F_GETFL, 0) | O_NONBLOCK)
  return fd
}

/** A xorshift generator, so that both children know the bytes without telling each other. */
function randomBytes(seed: number): (buffer: Uint8Array) => void {
  let state = seed
  return buffer => {
    for (let index = 0; index < buffer.length; index++) {
      state ^= state << 13
      state ^= state >>> 17
      state ^= state << 5
      buffer[index] = state
    }
  }
}

function closeAll(...fds: number[]): void {
  for (const fd of fds) sys.close(fd)
}

/** Writes `bytes` random bytes in writes of random size, sometimes with a pause. */
function writeRandom(fd: number, bytes: number, seed: number, largest: number): void {
  const fill = randomBytes(seed)
  const size = randomBytes(seed ^ 0x5555)
  const word = new Uint8Array(4)
  for (let sent = 0; sent < bytes;) {
    size(word)
    const part = new Uint8Array(Math.min(1 + new DataView(word.buffer).getUint32(0) % largest, bytes - sent))
    fill(part)
    for (let done = 0; done < part.length;) {
      const count = sys.write(fd, part, done, part.length - done)
      if (count < 0) throw new Error(`write: ${count}`)
      done += count
    }
    sent += part.length
    if (word[0]! < 4) sys.syscall(35, pause(200_000), 0)
  }
}

/** struct timespec for nanosleep(2). */
function pause(nanoseconds: number): Uint8Array {
  const time = new DataView(new ArrayBuffer(16))
  time.setUint32(8, nanoseconds, true)
  return new Uint8Array(time.buffer)
}

/** Reads to the end and compares every byte. */
function readRandom(fd: number, bytes: number, seed: number, slow: boolean): void {
  const fill = randomBytes(seed)
  const buffer = new Uint8Array(50_000)
  let got = 0
  for (let turn = 0; ; turn++) {
    const count = sys.read(fd, buffer, 0, turn % 3 === 0 ? 777 : buffer.length)
    if (count < 0) throw new Error(`read: ${count}`)
    if (count === 0) break
    const expected = new Uint8Array(count)
    fill(expected)
    for (let index = 0; index < count; index++) if (buffer[index] !== expected[index]) throw new Error(`byte ${got + index} is wrong`)
    got += count
    if (slow && turn % 16 === 0) sys.syscall(35, pause(500_000), 0)
  }
  equal(got, bytes, 'bytes read')
}

/** `bytes` random bytes through one pump, each side in a process of its own. */
async function exact(from: Kind, to: Kind, bytes: number, largest: number, plan: Partial<PumpPlan> = {}, slow = false): Promise<sys.PumpEnd> {
  const [input, output] = [channel(from), channel(to)]
  const seed = 1 + sys.getpid() + bytes
  const writer = forked(() => {
    closeAll(input.reader, output.reader, output.writer)
    writeRandom(input.writer, bytes, seed, largest)
  })
  const reader = forked(() => {
    closeAll(input.reader, input.writer, output.writer)
    readRandom(output.reader, bytes, seed, slow)
  })
  closeAll(input.writer, output.reader)
  const pump = new Pump('test', { source: setMode(input.reader, from), sink: setMode(output.writer, to), ...plan })
  closeAll(input.reader, output.writer)
  const end = await pump.ended
  equal([waitFor(writer), waitFor(reader)], [0, 0], `${from} → ${to}`)
  return end
}

const kinds: Kind[] = ['pipe', 'pipe O_NONBLOCK', 'unix', 'unix O_NONBLOCK', 'fifo']
const complete = (bytes: number): sys.PumpEnd => ({ reason: 'eof', errno: 0, bytes, discardedBytes: 0 })

await runCases({
  'every byte arrives, between all kinds of ends': async () => {
    for (const from of kinds) for (const to of kinds) equal(await exact(from, to, 300_000, 9000), complete(300_000), `${from} → ${to}`)
  },

  'every byte arrives in small chunks': async () => {
    for (const from of kinds) {
      for (const to of kinds) equal(await exact(from, to, 20_000, 5000, { chunkBytes: 97 }), complete(20_000), `${from} → ${to}`)
    }
  },

  'every byte arrives with a slow reader': async () => {
    for (const from of kinds) equal(await exact(from, 'pipe O_NONBLOCK', 2_000_000, 70_000, {}, true), complete(2_000_000), from)
    for (const to of kinds) equal(await exact('unix O_NONBLOCK', to, 2_000_000, 70_000, {}, true), complete(2_000_000), to)
  },

  'an empty source ends at once': async () => {
    for (const from of kinds) equal(await exact(from, 'unix', 0, 1, { shutdownSink: true }), complete(0), from)
  },

  'ten pumps at once share the loop': async () => {
    const ends = await Promise.all(Array.from({ length: 10 }, (_, index) => exact('pipe', 'unix O_NONBLOCK', 1_000_000 + index, 30_000)))
    equal(ends.map(end => end.bytes), ends.map((_, index) => 1_000_000 + index))
  },

  'files are sources and sinks': async () => {
    const bytes = new Uint8Array(1_000_000)
    randomBytes(7)(bytes)
    const [source, copy] = ['source', 'copy'].map(name => sys.openat(-100, `/tmp/kata-ts-pump-${sys.getpid()}-${name}`, 0o102, 0o600)) as [number, number]
    sys.write(source, bytes, 0, bytes.length)
    sys.syscall(8, source, 0, 0)
    const [reader, writer] = pair(sys.pipe2(0))
    const out = new Pump('file', { source, sink: writer })
    sys.close(writer)
    const back = new Pump('file', { source: reader, sink: copy })
    equal([await out.ended, await back.ended], [complete(bytes.length), complete(bytes.length)])
    const copied = new Uint8Array(bytes.length)
    equal(sys.pread(copy, copied, 0, copied.length, 0), bytes.length)
    equal(sys.sha256(copied), sys.sha256(bytes))
    closeAll(source, copy, reader)
    for (const name of ['source', 'copy']) sys.unlinkat(-100, `/tmp/kata-ts-pump-${sys.getpid()}-${name}`, 0)
  },

  'a terminal’s output ends when its last process closes it': async () => {
    for (const nonblocking of [false, true]) {
      const pty = openPty()
      if (nonblocking) sys.fcntl(pty.master.number, F_SETFL, O_NONBLOCK | 2)
      const lines = 5000
      const child = forked(() => {
        sys.close(pty.master.number)
        const line = sys.utf8Encode(`${'0123456789'.repeat(6)}\n`)
        for (let count = 0; count < lines; count++) sys.write(pty.slave.number, line, 0, line.length)
      })
      const [one, two] = pair(sys.socketpair(AF_UNIX, SOCK_STREAM, 0))
      const pump = new Pump('pty', { source: pty.master.number, sink: one, shutdownSink: true })
      pty.slave.close()
      const nothing = sys.openat(-100, '/dev/null', 1, 0)
      const drain = new Pump('drain', { source: two, sink: nothing })
      // The terminal makes CR LF of each LF.
      equal([(await pump.ended).bytes, (await drain.ended).bytes], [lines * 62, lines * 62])
      equal(waitFor(child), 0)
      pty.master.close()
      closeAll(one, two, nothing)
    }
  },

  'a terminal takes input': async () => {
    const pty = openPty()
    const child = forked(() => {
      const buffer = new Uint8Array(100)
      const got = sys.read(pty.slave.number, buffer, 0, 100)
      equal(sys.utf8Decode(buffer, 0, got), 'hello\n')
    })
    const [one, two] = pair(sys.socketpair(AF_UNIX, SOCK_STREAM, 0))
    const pump = new Pump('pty', { source: one, sink: pty.master.number })
    sys.write(two, sys.utf8Encode('hello\r'), 0, 6)
    sys.close(two)
    equal((await pump.ended).bytes, 6)
    equal(waitFor(child), 0)
    sys.close(one)
    pty.master.close()
    pty.slave.close()
  },

  'throughput': async () => {
    for (const [from, to] of [['pipe', 'pipe'], ['pipe', 'unix O_NONBLOCK'], ['unix O_NONBLOCK', 'fifo'], ['unix', 'unix'], ['unix', 'pipe']] as const) {
      const bytes = to === 'pipe' && from === 'unix' ? 128 << 20 : 1 << 30
      const [input, output] = [channel(from), channel(to)]
      const buffer = new Uint8Array(65536)
      const writer = forked(() => {
        closeAll(input.reader, output.reader, output.writer)
        for (let sent = 0; sent < bytes;) sent += Math.max(0, sys.write(input.writer, buffer, 0, buffer.length))
      })
      const reader = forked(() => {
        closeAll(input.reader, input.writer, output.writer)
        while (sys.read(output.reader, buffer, 0, buffer.length) > 0);
      })
      closeAll(input.writer, output.reader)
      const start = sys.monotonicMs()
      const pump = new Pump('test', { source: setMode(input.reader, from), sink: setMode(output.writer, to) })
      closeAll(input.reader, output.writer)
      const end = await pump.ended
      const seconds = (sys.monotonicMs() - start) / 1000
      equal([end.bytes, waitFor(writer), waitFor(reader)], [bytes, 0, 0])
      print(`${from} → ${to}: ${(bytes / 1e6 / seconds).toFixed(0)} MB/s\n`)
      ok(bytes >= 2 ** 27, 'the counter goes beyond 2^27')
    }
  },
})
