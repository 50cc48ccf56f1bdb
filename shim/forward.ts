import * as sys from 'native:sys'
import { exitText, spawn } from '../native/ts/child.ts'
import { within } from '../native/ts/clock.ts'
import { Connection } from '../native/ts/connection.ts'
import { SIGKILL } from '../native/ts/constants/signal.ts'
import { check } from '../native/ts/errno.ts'
import { Fault } from '../native/ts/fault.ts'
import { pipe } from '../native/ts/fd.ts'
import { connectUnix } from '../native/ts/socket.ts'
import { EventsDefinition } from '../protocol/gen/forward.ts'
import { Any } from '../protocol/gen/google/protobuf/any.ts'
import { encode } from '../protocol/message.ts'
import { connect, createClient } from '../protocol/ttrpc/client.ts'
import { Code, RpcError } from '../protocol/ttrpc/status.ts'
import { type Forward, Unreachable } from './events.ts'
import { pathOfAddress } from './paths.ts'

/** As long as containerd's own shims wait. */
const forwardTimeoutMs = 5_000

/** Forwards events to containerd's ttrpc socket, over one connection that is made anew when it is lost. */
export function forwardTo(address: string): Forward {
  const path = pathOfAddress(address)
  let link: ReturnType<typeof connect> | undefined
  return async envelope => {
    try {
      link ??= connect(new Connection(connectUnix(path)))
    } catch (cause) {
      throw new Unreachable(`no connection to ${path}`, { cause })
    }
    try {
      await createClient(EventsDefinition, link).forward({ envelope }, { timeoutMs: forwardTimeoutMs })
    } catch (cause) {
      if (!(cause instanceof RpcError) || (cause.code !== Code.Unavailable && cause.code !== Code.DeadlineExceeded)) throw cause
      link.close()
      link = undefined
      throw new Unreachable(`connection to ${path} was lost`, { cause })
    }
  }
}

/**
 * Publishes each event through containerd's `publish` command (the `-publish-binary` flag), for daemons
 * without a ttrpc socket: the event goes to its stdin as an Any.
 */
export function publishWith(binary: string, address: string, env: readonly string[]): Forward {
  return async envelope => {
    if (!envelope.event) throw new Fault('event without content')
    const input = pipe('stdin of publish')
    using reader = input.reader
    using writer = input.writer
    const bytes = encode(Any, envelope.event)
    check('write', writer.what, sys.write(writer.number, bytes, 0, bytes.length))
    writer.close()
    const child = spawn({
      path: binary,
      argv: [binary, '--address', address, 'publish', '--topic', envelope.topic, '--namespace', envelope.namespace],
      env: [...env],
      stdio: [reader.number, 'null', 'null'],
      parentDeathSignal: SIGKILL,
    })
    reader.close()
    const exit = await within(child.wait(), forwardTimeoutMs, `${binary} publish`).catch(async (cause: unknown) => {
      child.kill(SIGKILL)
      await child.wait()
      throw cause
    })
    if (exit.status !== 0) throw new Fault(`${binary} publish ${exitText(exit)}`)
  }
}
