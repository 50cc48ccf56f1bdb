import * as sys from 'native:sys'
import { AF_INET, AF_INET6, SO_ERROR, SOCK_NONBLOCK, SOCK_STREAM, SOL_SOCKET } from '../../native/ts/constants/socket.ts'
import { check, E, isErrno, SysError } from '../../native/ts/errno.ts'
import { Fd } from '../../native/ts/fd.ts'
import { whenWritable } from '../../native/ts/readiness.ts'
import type { ClosePortInputRequest, ConnectPortRequest } from '../../protocol/gen/agent.ts'
import { invalid, notFound, Refusal, wrongState } from '../refusal.ts'
import type { Sandbox } from '../sandbox/sandbox.ts'
import { PortStream } from '../streams/port.ts'

/** Streams to ports at a time: far above what the host opens. */
const maxPortStreams = 1024

const streams = new Map<bigint, PortStream>()

/** ConnectPort: as a client on the pod's own loopback, where servers that listen there only can be reached. */
export async function connectPort({ parts }: Sandbox, { streamId, port }: ConnectPortRequest): Promise<object> {
  if (port < 1 || port > 65_535) throw invalid(`${port} is no TCP port`)
  if (streams.size >= maxPortStreams) throw wrongState(`${maxPortStreams} streams to ports are open`)
  const expected = parts.streams.expect(streamId)
  try {
    const server = await connectLoopback(port)
    streams.set(streamId, new PortStream(`port ${port}`, server, expected, {
      sent: bytes => parts.events.streamEnd({ streamId, bytes: BigInt(bytes) }),
      ended: () => void streams.delete(streamId),
    }))
    return {}
  } catch (error) {
    expected.cancel()
    throw error
  }
}

/** ClosePortInput. */
export async function closePortInput(_sandbox: Sandbox, { streamId, bytes }: ClosePortInputRequest): Promise<object> {
  const stream = streams.get(streamId)
  if (!stream) throw notFound(`stream ${streamId} is connected to no port`)
  stream.endInputAfter(Number(bytes))
  return {}
}

async function connectLoopback(port: number): Promise<Fd> {
  let refused: Refusal | undefined
  for (const [family, address] of [[AF_INET, '127.0.0.1'], [AF_INET6, '::1']] as const) {
    try {
      return await connect(family, address, port)
    } catch (error) {
      if (!isErrno(error, E.ECONNREFUSED, E.EAFNOSUPPORT, E.EADDRNOTAVAIL, E.ENETUNREACH)) throw error
      // What 127.0.0.1 said is the answer that a client expects.
      refused ??= wrongState(error.message)
    }
  }
  throw refused ?? wrongState(`no loopback address for port ${port}`)
}

async function connect(family: number, address: string, port: number): Promise<Fd> {
  const what = `${address}:${port}`
  using socket = new Fd(check('socket', what, sys.socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0)), what)
  const started = sys.connectInet(socket.number, address, port)
  if (started < 0 && started !== -E.EINPROGRESS) throw new SysError('connect', what, -started)
  await whenWritable(socket)
  const outcome = check('getsockopt', what, sys.getsockoptInt(socket.number, SOL_SOCKET, SO_ERROR))
  if (outcome !== 0) throw new SysError('connect', what, outcome)
  return new Fd(socket.release(), what)
}
