import * as sys from 'native:sys'
import { MSG_PEEK } from '../../native/ts/constants/socket.ts'
import { check, E, SysError } from '../../native/ts/errno.ts'
import { Fault } from '../../native/ts/fault.ts'
import type { Fd } from '../../native/ts/fd.ts'
import { whenReadable } from '../../native/ts/readiness.ts'

/** `OK 4294967295\n` */
const maxAnswerBytes = 14

/**
 * Opens a guest port over the unix socket that vhost-device-vsock, Cloud Hypervisor and Firecracker share:
 *
 *   shim ──▶ CONNECT <port>\n
 *   shim ◀── OK <local port>\n       then the bytes of the connection; or end of file: nobody listens
 *
 * Never given up before the answer (vhost-device-vsock 0.3.0 spins when the host leaves early), and nothing is sent
 * behind CONNECT before OK (it would be lost). Takes ownership of `socket` and gives it back; closes it on failure.
 */
export async function connectHybrid(socket: Fd, port: number): Promise<Fd> {
  try {
    const request = sys.utf8Encode(`CONNECT ${port}\n`)
    check('send', socket.what, sys.send(socket.number, request, 0, request.length, 0))
    const answer = await readLine(socket)
    if (!/^OK \d+$/.test(answer)) throw new Fault(`vsock port ${port}: expected OK, received ${JSON.stringify(answer)}`)
    return socket
  } catch (error) {
    socket.close()
    throw error
  }
}

/** One short line, and not a byte more: what follows belongs to the connection. */
async function readLine(socket: Fd): Promise<string> {
  const buffer = new Uint8Array(maxAnswerBytes)
  for (;;) {
    await whenReadable(socket)
    const seen = sys.recv(socket.number, buffer, 0, buffer.length, MSG_PEEK)
    if (seen === -E.EAGAIN) continue
    if (seen < 0) throw new SysError('recv', socket.what, -seen)
    if (seen === 0) throw new Fault(`${socket.what}: the guest does not answer there`)
    const end = buffer.subarray(0, seen).indexOf(0x0a)
    if (end >= 0) {
      check('recv', socket.what, sys.recv(socket.number, buffer, 0, end + 1, 0))
      return sys.utf8Decode(buffer, 0, end)
    }
    if (seen === buffer.length) throw new Fault(`${socket.what}: answer of more than ${maxAnswerBytes} bytes`)
    // The rest of the line is on its way; the level-triggered watch would fire at once for what is peeked already.
    await new Promise(resolve => void sys.setTimer(1, () => resolve(undefined)))
  }
}
