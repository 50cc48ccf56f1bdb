import * as sys from 'native:sys'
import { sleep } from '../../../native/ts/clock.ts'
import { EPOLLET, EPOLLHUP, EPOLLIN } from '../../../native/ts/constants/epoll.ts'
import { SIGTERM, SIGUSR1 } from '../../../native/ts/constants/signal.ts'
import { check, E } from '../../../native/ts/errno.ts'
import { Signals } from '../../../native/ts/signals.ts'
import { equal, ok, pair, runCases, typeError, waitFor, writeAll } from './harness.ts'

const byte = new Uint8Array(1)

function closeAll(...fds: number[]): void {
  for (const fd of fds) sys.close(fd)
}

await runCases({
  'timers fire in the order of their deadlines, equal ones in the order of setting': async () => {
    const order: string[] = []
    sys.setTimer(6, () => order.push('c'))
    sys.setTimer(2, () => order.push('a'))
    const same = sys.setTimer(4, () => order.push('never'))
    sys.setTimer(4, () => order.push('b'))
    sys.clearTimer(same)
    await sleep(20)
    equal(order, ['a', 'b', 'c'])
  },

  'a timer does not fire early': async () => {
    for (const delay of [0, 0.3, 1, 2.7, 10]) {
      const start = sys.monotonicMs()
      await sleep(delay)
      ok(sys.monotonicMs() - start >= delay, `${delay} ms came early`)
    }
  },

  'promise jobs run before the next timer': async () => {
    const order: string[] = []
    for (const name of ['1', '2']) {
      sys.setTimer(1, () => {
        order.push(`timer ${name}`)
        void Promise.resolve().then(() => order.push(`job ${name}`)).then(() => order.push(`its job ${name}`))
      })
    }
    await sleep(10)
    equal(order, ['timer 1', 'job 1', 'its job 1', 'timer 2', 'job 2', 'its job 2'])
  },

  'promise jobs run before the next epoll callback': async () => {
    const order: string[] = []
    const pipes = [pair(sys.pipe2(0)), pair(sys.pipe2(0))]
    pipes.forEach(([reader], index) => sys.watch(reader, EPOLLIN, () => {
      order.push(`callback ${index}`)
      void Promise.resolve().then(() => order.push(`job ${index}`))
      sys.unwatch(reader)
    }))
    for (const [, writer] of pipes) writeAll(writer, byte)
    await sleep(5)
    equal(order, ['callback 0', 'job 0', 'callback 1', 'job 1'])
    closeAll(...pipes.flat())
  },

  'a level-triggered watch calls until the fd is read, an edge-triggered one once': async () => {
    const [level, edge] = [pair(sys.pipe2(0)), pair(sys.pipe2(0))]
    let levels = 0
    let edges = 0
    sys.watch(edge[0], EPOLLIN | EPOLLET, () => { edges++ })
    await new Promise<void>(resolve => {
      sys.watch(level[0], EPOLLIN, () => {
        levels++
        if (levels < 3) return
        sys.unwatch(level[0])
        resolve()
      })
      writeAll(level[1], byte)
      writeAll(edge[1], byte)
    })
    equal([levels, edges], [3, 1])
    sys.unwatch(edge[0])
    closeAll(...level, ...edge)
  },

  'a watch that an earlier callback of the same batch removed is not called': async () => {
    const pipes = [pair(sys.pipe2(0)), pair(sys.pipe2(0))]
    let calls = 0
    for (const [reader] of pipes) {
      sys.watch(reader, EPOLLIN, () => {
        calls++
        for (const [other] of pipes) sys.unwatch(other)
      })
    }
    for (const [, writer] of pipes) writeAll(writer, byte)
    await sleep(5)
    equal(calls, 1)
    closeAll(...pipes.flat())
  },

  'an event of a closed fd does not reach the new watch of the same number': async () => {
    const [first, second] = [pair(sys.pipe2(0)), pair(sys.pipe2(0))]
    const seen: string[] = []
    let fresh: [number, number] = [-1, -1]
    sys.watch(first[0], EPOLLIN, () => {
      sys.unwatch(first[0])
      sys.unwatch(second[0])
      sys.close(second[0])
      fresh = pair(sys.pipe2(0))
      equal(fresh[0], second[0], 'the number is used again')
      sys.watch(fresh[0], EPOLLIN, () => seen.push('fresh'))
    })
    sys.watch(second[0], EPOLLIN, () => seen.push('second'))
    writeAll(first[1], byte)
    writeAll(second[1], byte)
    await sleep(5)
    equal(seen, [])
    sys.unwatch(fresh[0])
    closeAll(...first, second[1], ...fresh)
  },

  'hang-up is reported without being asked for': async () => {
    const [reader, writer] = pair(sys.pipe2(0))
    const events = await new Promise<number>(resolve => {
      sys.watch(reader, 0, seen => { sys.unwatch(reader); resolve(seen) })
      sys.close(writer)
    })
    equal(events & EPOLLHUP, EPOLLHUP)
    sys.close(reader)
  },

  'watch says EEXIST, EBADF and EPERM as epoll_ctl does, unwatch ENOENT': () => {
    const [reader, writer] = pair(sys.pipe2(0))
    equal(sys.watch(reader, EPOLLIN, () => {}), 0)
    equal(sys.watch(reader, EPOLLIN, () => {}), -E.EEXIST)
    equal(sys.unwatch(reader), 0)
    equal(sys.unwatch(reader), -E.ENOENT)
    equal(sys.rewatch(reader, EPOLLIN), -E.ENOENT)
    equal(sys.watch(9999, EPOLLIN, () => {}), -E.EBADF)
    const file = sys.openat(-100, '/proc/self/exe', 0, 0)
    equal(sys.watch(file, EPOLLIN, () => {}), -E.EPERM)
    closeAll(reader, writer, file)
  },

  'signals come through a signalfd with their sender': async () => {
    using signals = new Signals([SIGUSR1, SIGTERM])
    const seen: number[] = []
    const both = new Promise<void>(resolve => signals.onSignal(signal => { if (seen.push(signal) === 2) resolve() }))
    sys.kill(sys.getpid(), SIGUSR1)
    sys.kill(sys.getpid(), SIGTERM)
    const alive = sys.setTimer(5000, () => {})
    await both
    sys.clearTimer(alive)
    equal(seen, [SIGUSR1, SIGTERM])
  },

  'the exit of a child comes through its pidfd': async () => {
    const cloned = sys.clone3({ flags: 0, exitSignal: 17 })
    if (typeof cloned === 'number') throw new Error(`clone3: ${cloned}`)
    if (cloned.pid === 0) sys._exit(7)
    await new Promise<void>(resolve => sys.watch(cloned.pidfd, EPOLLIN, () => resolve()))
    sys.unwatch(cloned.pidfd)
    equal(waitFor(cloned.pid), 7)
    sys.close(cloned.pidfd)
  },

  'a process ends by itself when only unreferenced watches are left': async () => {
    const pid = check('fork', 'test child', sys.fork())
    if (pid === 0) {
      const [reader] = pair(sys.pipe2(0))
      sys.watch(reader, EPOLLIN, () => {})
      sys.unref(reader)
      // Back to the loop for ever: only the loop can end the process.
      await new Promise<void>(() => {})
    }
    equal(waitFor(pid), 0)
  },

  'a rejection that gets its handler within the same turn is none': async () => {
    const late = Promise.reject(new Error('handled after all'))
    await Promise.resolve()
    await late.catch(() => {})
  },

  'the hook for unhandled rejections is given the reason, and the process goes on': async () => {
    const reasons: unknown[] = []
    sys.onUnhandledRejection(reason => reasons.push(reason))
    void Promise.reject(new Error('nobody cares'))
    await sleep(1)
    equal(reasons.map(String), ['Error: nobody cares'])
  },

  'arguments of a wrong type are a TypeError that names function and argument': () => {
    equal(typeError(() => sys.close('3' as unknown as number)), 'close: fd must be an integer of 32 bits')
    equal(typeError(() => sys.setTimer(1, 5 as unknown as () => void)), 'setTimer: callback must be a function')
    equal(typeError(() => sys.kill(1.5, 0)), 'kill: pid must be an integer of 32 bits')
    equal(typeError(() => sys.read(0, new Uint8Array(4), 2, 3)), 'native:sys: arguments must be a range inside the buffer')
    equal(typeError(() => sys.chdir('/tmp\0/x')), 'native:sys: arguments must be a string without NUL')
  },

  'a million callbacks leave no memory behind': async () => {
    const [reader, writer] = pair(sys.pipe2(0))
    const round = async (): Promise<void> => {
      for (let count = 0; count < 20_000; count++) {
        await new Promise<void>(resolve => {
          sys.watch(reader, EPOLLIN, () => {
            sys.read(reader, byte, 0, 1)
            sys.unwatch(reader)
            resolve()
          })
          sys.write(writer, byte, 0, 1)
        })
      }
    }
    await round()
    sys.gc()
    const before = sys.memoryUsage().heapBytes
    await round()
    sys.gc()
    const growth = sys.memoryUsage().heapBytes - before
    ok(growth < 10_000, `${growth} bytes more`)
    closeAll(reader, writer)
  },
})
