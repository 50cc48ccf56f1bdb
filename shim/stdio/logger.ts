import * as sys from 'native:sys'
import { F_GETFL, F_SETFL, O_NONBLOCK } from '../../native/ts/constants/fcntl.ts'
import { SIGKILL, SIGTERM } from '../../native/ts/constants/signal.ts'
import { type Child, spawn } from '../../native/ts/child.ts'
import { within } from '../../native/ts/clock.ts'
import { check } from '../../native/ts/errno.ts'
import { Fault } from '../../native/ts/fault.ts'
import { type Fd, pipe } from '../../native/ts/fd.ts'
import { Owner } from '../../native/ts/owner.ts'
import { whenReadable } from '../../native/ts/readiness.ts'

export interface LoggerOptions {
  path: string
  arguments: string[]
  namespace: string
  containerId: string
  /** Environment to which containerd's variables are added. */
  env: readonly string[]
}

export interface Logger {
  child: Child
  /** Write ends of the logger's fds 3 and 4; the caller owns them. */
  stdout: Fd
  stderr: Fd
}

/** How long a logger may take until it says that it is ready. */
const readyTimeoutMs = 10_000

/**
 * Starts a `binary://` logger (containerd runtime v2, "Logging"): it reads stdout from fd 3 and
 * stderr from fd 4, and says that it is ready by writing to or closing fd 5.
 * Rejects with SysError or Fault when it does not start or dies before it is ready.
 */
export async function startLogger(options: LoggerOptions): Promise<Logger> {
  await using owner = new Owner()
  const stdout = pipe('logger stdout')
  const stderr = pipe('logger stderr')
  const ready = pipe('logger ready')
  for (const end of [stdout.reader, stderr.reader, ready.reader, ready.writer]) owner.own(end.what, end)
  const kept = new Owner()
  for (const end of [stdout.writer, stderr.writer]) kept.own(end.what, end)
  try {
    const child = spawn({
      path: options.path,
      argv: [options.path, ...options.arguments],
      env: [...options.env, `CONTAINER_ID=${options.containerId}`, `CONTAINER_NAMESPACE=${options.namespace}`],
      stdio: ['null', 'null', 'null'],
      pass: [stdout.reader.number, stderr.reader.number, ready.writer.number],
    })
    kept.own('logger', child)
    ready.writer.close()
    await awaitReady(ready.reader)
    for (const end of [stdout.writer, stderr.writer]) setNonBlocking(end)
    kept.move()
    return { child, stdout: stdout.writer, stderr: stderr.writer }
  } catch (cause) {
    await kept.release()
    throw new Fault(`logger ${options.path} did not start`, { cause })
  }
}

async function awaitReady(reader: Fd): Promise<void> {
  await within(whenReadable(reader), readyTimeoutMs, 'getting ready', 'it must close file descriptor 5 when it is')
  const byte = new Uint8Array(1)
  check('read', reader.what, sys.read(reader.number, byte, 0, 1))
}

function setNonBlocking(fd: Fd): void {
  const flags = check('fcntl', fd.what, sys.fcntl(fd.number, F_GETFL, 0))
  check('fcntl', fd.what, sys.fcntl(fd.number, F_SETFL, flags | O_NONBLOCK))
}

/** How long a logger may take to write out what it has: first by itself, at the end of its input, then asked to. */
const flushTimeoutMs = 2_000
const stopTimeoutMs = 10_000

/** Waits for the logger to end after its pipes were closed; asks it to with SIGTERM, then takes it. */
export async function endLogger(child: Child): Promise<void> {
  try {
    await within(child.wait(), flushTimeoutMs, 'end of the logger').catch(() => {
      child.kill(SIGTERM)
      return within(child.wait(), stopTimeoutMs, 'end of the logger')
    })
  } catch {
    child.kill(SIGKILL)
    await child.wait()
  }
}
