import * as sys from 'native:sys'
import { EPOLLIN } from '../../native/ts/constants/epoll.ts'
import { SOCK_NONBLOCK } from '../../native/ts/constants/socket.ts'
import { check, E } from '../../native/ts/errno.ts'
import { story } from '../../native/ts/fault.ts'
import { Fd } from '../../native/ts/fd.ts'
import type { AgentClient } from '../agent-client.ts'
import type { Log } from '../log.ts'
import { connectStream, type Dial } from '../stdio/connect.ts'
import { Forwarded, resetConnection } from './forwarded.ts'
import { LoopbackListeners } from './loopback.ts'
import type { Netns } from './netns.ts'

/** Connections at a time. A browser opens six a host; a load test through `kubectl port-forward` is none of ours to serve. */
const maxForwarded = 256
/** Taken in one turn of the loop. */
const maxAcceptsATurn = 16
/** getsockname(2) by number on x86_64; struct sockaddr_in6 is the longest we meet. */
const SYS_getsockname = 51
const sockaddrBytes = 28

export interface PortForwardPorts {
  agent: Pick<AgentClient, 'connectPort' | 'closePortInput'>
  dial: Dial
  nextStreamId: () => bigint
  log: Log
}

/**
 * Brings whoever connects to the loopback of the pod's namespace on the host to the loopback of the guest, where the pod's
 * servers are: `kubectl port-forward` has containerd connect there (facts of containerd's CRI).
 *
 *   containerd ─▶ 127.0.0.1:port in the namespace ─▶ (sk_lookup program) ─▶ our listener ─▶ vsock stream ─▶ agent ─▶ guest's 127.0.0.1:port
 *
 * Nobody else gets here: packets of other pods go to the guest before the namespace's stack could see them.
 */
export class PortForward implements Disposable {
  readonly #loopback: LoopbackListeners
  readonly #forwarded = new Map<bigint, Forwarded>()
  /** With those that wait for the guest's answer. */
  #count = 0
  #closed = false

  /** Borrows `netns`. Throws SysError: the host's kernel cannot do it. */
  constructor(netns: Netns, private readonly ports: PortForwardPorts) {
    this.#loopback = new LoopbackListeners(netns)
    for (const listener of this.#loopback.listeners) {
      check('epoll_ctl', listener.what, sys.watch(listener.number, EPOLLIN, () => this.#accept(listener)))
      sys.unref(listener.number)
    }
  }

  /** The connection on stream `id`, for the end that the agent tells. */
  stream(id: bigint): Forwarded | undefined {
    return this.#forwarded.get(id)
  }

  /** Ends every connection. Idempotent. */
  [Symbol.dispose](): void {
    if (this.#closed) return
    this.#closed = true
    for (const listener of this.#loopback.listeners) sys.unwatch(listener.number)
    this.#loopback[Symbol.dispose]()
    for (const forwarded of this.#forwarded.values()) forwarded.close()
  }

  #accept(listener: Fd): void {
    for (let turn = 0; turn < maxAcceptsATurn; turn++) {
      const number = sys.accept4(listener.number, SOCK_NONBLOCK)
      if (number < 0) {
        if (number !== -E.EAGAIN && number !== -E.ECONNABORTED) this.ports.log.warn(`accept on ${listener.what}: errno ${-number}`)
        return
      }
      const client = new Fd(number, 'forwarded connection')
      if (this.#count >= maxForwarded) {
        resetConnection(client)
        this.ports.log.warn(`a connection to a port of the pod was refused: ${maxForwarded} are open`)
      } else void this.#forward(client)
    }
  }

  /** Never rejects: a connection that fails is its client's to see. */
  async #forward(client: Fd): Promise<void> {
    this.#count++
    const { agent, dial, nextStreamId, log } = this.ports
    let stream: Fd | undefined
    try {
      const port = localPort(client)
      const id = nextStreamId()
      // First the server: where nobody listens there is nothing to connect a stream for.
      await agent.connectPort({ streamId: id, port })
      stream = await connectStream(dial, id)
      if (this.#closed) throw new Error('the sandbox ended')
      const forwarded = new Forwarded(client, stream, bytes => {
        // A guest that does not know the stream has ended it already.
        agent.closePortInput({ streamId: id, bytes: BigInt(bytes) }).catch(() => {})
      })
      this.#forwarded.set(id, forwarded)
      await forwarded.ended.finally(() => this.#forwarded.delete(id))
    } catch (error) {
      log.info(`a connection to a port of the pod was not made: ${story(error)}`)
      stream?.close()
      resetConnection(client)
    } finally {
      this.#count--
    }
  }
}

/** The port that the client wanted: the kernel gave us its connection with the address it was for. */
function localPort(client: Fd): number {
  const address = new Uint8Array(sockaddrBytes)
  const length = new Uint8Array(4)
  new DataView(length.buffer).setUint32(0, sockaddrBytes, true)
  check('getsockname', client.what, sys.syscall(SYS_getsockname, client.number, address, length))
  // struct sockaddr_in and sockaddr_in6 alike: the family, then the port in network byte order.
  return new DataView(address.buffer).getUint16(2)
}
