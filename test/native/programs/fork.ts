import * as sys from 'native:sys'
import { spawn } from '../../../native/ts/child.ts'
import { sleep } from '../../../native/ts/clock.ts'
import { EPOLLIN } from '../../../native/ts/constants/epoll.ts'
import { AT_FDCWD } from '../../../native/ts/constants/fcntl.ts'
import { SIGCHLD, SIGTERM } from '../../../native/ts/constants/signal.ts'
import { CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWUTS } from '../../../native/ts/constants/sched.ts'
import { check, checked, E } from '../../../native/ts/errno.ts'
import { Pump } from '../../../native/ts/pump.ts'
import { equal, forked, ok, openFds, pair, readAll, runCases, text, typeError, waitFor, writeAll } from './harness.ts'

const byte = new Uint8Array([42])

/** Objects that the garbage collector has to look at, with cycles. */
function manyObjects(count: number): { self?: unknown; n: number }[] {
  return Array.from({ length: count }, (_, n) => {
    const object: { self?: unknown; n: number } = { n }
    object.self = object
    return object
  })
}

await runCases({
  'the child changes its own loop and not the parent’s': async () => {
    const [reader, writer] = pair(sys.pipe2(0))
    let calls = 0
    sys.watch(reader, EPOLLIN, () => { calls++; sys.read(reader, byte, 0, 1) })
    const pid = forked(() => {
      // Not watched here, although the number and the open file are the parent's.
      equal(sys.unwatch(reader), -E.ENOENT)
      equal(sys.watch(reader, EPOLLIN, () => {}), 0)
      equal(sys.unwatch(reader), 0)
      sys.close(reader)
    })
    equal(waitFor(pid), 0)
    writeAll(writer, byte)
    await sleep(5)
    equal(calls, 1)
    sys.unwatch(reader)
    sys.close(reader)
    sys.close(writer)
  },

  'jobs that were pending do not run in a child that ends': async () => {
    const [reader, writer] = pair(sys.pipe2(0))
    const job = Promise.resolve().then(() => writeAll(writer, byte))
    const pid = forked(() => {})
    equal(waitFor(pid), 0)
    await job
    sys.close(writer)
    equal(readAll(reader).length, 1)
    sys.close(reader)
  },

  'a child that goes back to the loop lives on, with timers and watches of its own': async () => {
    const [reader, writer] = pair(sys.pipe2(0))
    sys.setTimer(1, () => {})
    const pid = check('fork', 'daemon', sys.fork())
    if (pid === 0) {
      await sleep(3)
      const [own, end] = pair(sys.pipe2(0))
      sys.setTimer(1, () => writeAll(end, byte))
      await new Promise<void>(resolve => sys.watch(own, EPOLLIN, () => resolve()))
      writeAll(writer, sys.utf8Encode('daemon'))
      sys.exit(3)
    }
    sys.close(writer)
    equal(text(readAll(reader)), 'daemon')
    equal(waitFor(pid), 3)
    sys.close(reader)
  },

  'two nested forks with 100,000 live objects, garbage collection and exceptions': () => {
    const objects = manyObjects(100_000)
    const work = (): void => {
      sys.gc()
      const more = manyObjects(1000)
      objects.splice(0, 50_000)
      sys.gc()
      equal(objects[10]?.self === objects[10] && more.length === 1000, true)
      try {
        throw new Error('on purpose')
      } catch {
        // The exception itself was the test.
      }
      const [reader, writer] = pair(sys.pipe2(0))
      equal(sys.watch(reader, EPOLLIN, () => {}), 0)
      sys.close(reader)
      sys.close(writer)
    }
    const pid = forked(() => {
      work()
      const grandchild = forked(() => {
        work()
        return 5
      })
      return waitFor(grandchild) === 5 ? 6 : 1
    })
    equal(waitFor(pid), 6)
    work()
  },

  'the parent’s pump goes on while children come and go': async () => {
    const [source, sourceEnd] = pair(sys.pipe2(0))
    const [sink, sinkEnd] = pair(sys.pipe2(0))
    const pump = new Pump('test', { source, sink: sinkEnd })
    const before = openFds().length
    for (let count = 0; count < 10; count++) {
      writeAll(sourceEnd, byte)
      const pid = forked(() => {
        // The pump's duplicates are not here.
        equal(openFds().length, before - 3)
        sys.close(source)
        sys.close(sinkEnd)
      })
      equal(waitFor(pid), 0)
      await sleep(1)
    }
    sys.close(sourceEnd)
    const end = await pump.ended
    equal([end.reason, end.bytes], ['eof', 10])
    sys.close(source)
    sys.close(sinkEnd)
    equal(readAll(sink).length, 10)
    sys.close(sink)
  },

  'a program starts with default signals, although SIGPIPE is ignored and SIGTERM blocked here': () => {
    const signals = sys.signalfd([SIGTERM])
    const [reader, writer] = pair(sys.pipe2(0))
    const pid = forked(() => {
      sys.dup3(writer, 1, 0)
      return sys.execve('/bin/grep', ['grep', '-E', '^Sig(Blk|Ign):', '/proc/self/status'], []) < 0 ? 98 : 0
    })
    sys.close(writer)
    equal(text(readAll(reader)).match(/[0-9a-f]{16}/g), ['0000000000000000', '0000000000000000'])
    equal(waitFor(pid), 0)
    sys.close(reader)
    sys.close(signals)
  },

  'a program that is spawned has its descriptors and no others, whatever this process was left with': async () => {
    const [reader, writer] = pair(sys.pipe2(0))
    const inherited = [20, 300].map(fd => sys.dup3(writer, fd, 0))
    equal(inherited, [20, 300])
    const child = spawn({ path: '/bin/ls', argv: ['ls', '/proc/self/fd'], env: [], stdio: ['null', writer, 'null'], pass: [reader] })
    for (const fd of [writer, ...inherited]) sys.close(fd)
    equal((await child.wait()).status, 0)
    // 4 is of the listing itself.
    equal(text(readAll(reader)), '0\n1\n2\n3\n4\n')
    sys.close(reader)
  },

  'execve gives its errno and the child goes on': () => {
    const pid = forked(() => (sys.execve('/nonexistent', ['x'], []) === -E.ENOENT ? 0 : 1))
    equal(waitFor(pid), 0)
    equal(sys.execveat(AT_FDCWD, '/etc/passwd', ['x'], [], 0), -E.EACCES)
  },

  'clone3 makes namespaces: pid 1 and a hostname of its own': () => {
    const cloned = checked('clone3', 'namespaces', sys.clone3({ flags: CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWNS, exitSignal: SIGCHLD }))
    if (cloned.pid === 0) {
      sys.sethostname('inside')
      const name = sys.readFile(AT_FDCWD, '/proc/sys/kernel/hostname', 100)
      sys._exit(sys.getpid() === 1 && text(name) === 'inside\n' ? 0 : 1)
    }
    equal(waitFor(cloned.pid), 0)
    sys.close(cloned.pidfd)
    ok(text(sys.readFile(AT_FDCWD, '/proc/sys/kernel/hostname', 100)) !== 'inside\n', 'the name is outside too')
  },

  'clone3 refuses flags that share memory': () => {
    equal(typeError(() => sys.clone3({ flags: 0x100, exitSignal: SIGCHLD })), 'native:sys: arguments must be clone flags of a fork')
  },

  'a thousand children leave nothing': () => {
    for (let count = 0; count < 1000; count++) equal(waitFor(forked(() => count % 7)), count % 7)
  },
})
