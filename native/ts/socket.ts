import * as sys from 'native:sys'
import { AF_UNIX, AF_VSOCK, SOCK_NONBLOCK, SOCK_STREAM, SOL_SOCKET, SO_ERROR } from './constants/socket.ts'
import { check, E, SysError } from './errno.ts'
import { Fd } from './fd.ts'
import { whenReadable, whenWritable } from './readiness.ts'

/** A non-blocking unix listener at `path`, owned by the caller; the file is the caller's to remove. */
export function listenUnix(path: string, backlog = 64): Fd {
  using socket = stream(AF_UNIX, `unix listener ${path}`)
  check('bind', path, sys.bindUnix(socket.number, path))
  check('listen', path, sys.listen(socket.number, backlog))
  return new Fd(socket.release(), socket.what)
}

/** A connected, non-blocking unix socket. A full backlog (EAGAIN) is reported as ECONNREFUSED would be: nobody accepts. */
export function connectUnix(path: string): Fd {
  using socket = stream(AF_UNIX, `unix socket ${path}`)
  check('connect', path, sys.connectUnix(socket.number, path))
  return new Fd(socket.release(), socket.what)
}

/** A non-blocking AF_VSOCK listener (vsock(7)); port VMADDR_PORT_ANY lets the kernel choose. */
export function listenVsock(cid: number, port: number, backlog = 64): Fd {
  using socket = stream(AF_VSOCK, `vsock listener ${cid}:${port}`)
  check('bind', socket.what, sys.bindVsock(socket.number, cid, port))
  check('listen', socket.what, sys.listen(socket.number, backlog))
  return new Fd(socket.release(), socket.what)
}

/** A connected, non-blocking AF_VSOCK socket. Rejects with SysError (ECONNRESET or ETIMEDOUT: nobody listens). */
export async function connectVsock(cid: number, port: number): Promise<Fd> {
  using socket = stream(AF_VSOCK, `vsock ${cid}:${port}`)
  const started = sys.connectVsock(socket.number, cid, port)
  if (started < 0 && started !== -E.EINPROGRESS) throw new SysError('connect', socket.what, -started)
  await whenWritable(socket)
  const outcome = check('getsockopt', socket.what, sys.getsockoptInt(socket.number, SOL_SOCKET, SO_ERROR))
  if (outcome !== 0) throw new SysError('connect', socket.what, outcome)
  return new Fd(socket.release(), socket.what)
}

/** Waits for the next connection; the caller owns it (non-blocking). Borrows `listener`. */
export async function accept(listener: Fd): Promise<Fd> {
  for (;;) {
    const number = sys.accept4(listener.number, SOCK_NONBLOCK)
    if (number >= 0) return new Fd(number, `connection of ${listener.what}`)
    // A peer that gave up between the wake-up and accept(2) is no error of the listener.
    if (number !== -E.EAGAIN && number !== -E.ECONNABORTED) throw new SysError('accept', listener.what, -number)
    await whenReadable(listener)
  }
}

function stream(domain: number, what: string): Fd {
  return new Fd(check('socket', what, sys.socket(domain, SOCK_STREAM | SOCK_NONBLOCK, 0)), what)
}
