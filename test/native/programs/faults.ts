import * as sys from 'native:sys'
import { sleep } from '../../../native/ts/clock.ts'
import { forked, print, waitFor } from './harness.ts'

/** Programs that end badly, each by one fault; run by test/native/faults.spec.ts. */
const faults: Record<string, () => unknown> = {
  async rejection() {
    await sleep(1)
    deepThrow()
  },
  cause() {
    throw new Error('outside', { cause: new TypeError('inside') })
  },
  callback() {
    sys.setTimer(1, deepThrow)
  },
  'no error'() {
    void Promise.reject('only text')
  },
  async watchdog() {
    sys.setWatchdog(30)
    await sleep(50)
    print('waiting is no work\n')
    spin()
  },
  'watchdog of a daemon'() {
    // As the shim: stderr leads nowhere, the log is another fd.
    const log = sys.dup(1)
    for (const place of [1, 2]) sys.dup3(sys.openat(-100, '/dev/null', 2, 0), place, 0)
    sys.setFatalLog(log)
    sys.setWatchdog(20)
    spin()
  },
  'callback with a hook'() {
    sys.onUnhandledRejection(reason => print(`hook: ${String(reason)}\n`))
    sys.setTimer(1, deepThrow)
    sys.setTimer(3, () => print('goes on\n'))
  },
  async 'watchdog in a job'() {
    sys.setWatchdog(30)
    try {
      await sleep(1)
      spin()
    } catch {
      print('caught\n')
    } finally {
      print('finally\n')
    }
  },
  'watchdog of a child'() {
    // A child blocks as long as it must: it waits for its parent.
    sys.setWatchdog(30)
    const pid = forked(() => {
      for (const start = sys.monotonicMs(); sys.monotonicMs() - start < 60;);
    })
    print(`child ${waitFor(pid)}\n`)
    sys.exit(0)
  },
  memory() {
    sys.setMemoryLimit(8 << 20)
    const hoard: unknown[] = []
    for (;;) hoard.push(new Uint8Array(100_000))
  },
  'memory caught'() {
    sys.setMemoryLimit(8 << 20)
    try {
      const hoard: unknown[] = []
      for (;;) hoard.push(new Uint8Array(100_000))
    } catch (error) {
      print(`${String(error)}\n`)
    }
    print(`${new Array(1000).fill(1).length} more\n`)
  },
  recursion() {
    const down = (depth: number): number => down(depth + 1) + 1
    try {
      down(0)
    } catch (error) {
      print(`${String(error)}\n`)
    }
  },
  async 'late import'() {
    print('before\n')
    const [{ throwLate }, again] = await Promise.all([import('./late.ts'), import('./late.ts')])
    print(`${again.throwLate === throwLate}\n`)
    throwLate()
  },
  nothing() {},
}

function deepThrow(): never {
  throw new Error('thrown deep')
}

function spin(): never {
  for (;;);
}

await faults[sys.argv()[1] ?? '']?.()
