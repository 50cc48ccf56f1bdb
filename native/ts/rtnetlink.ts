import * as sys from 'native:sys'
import { AF_NETLINK, NETLINK_ROUTE, SOCK_RAW } from './constants/socket.ts'
import { check } from './errno.ts'
import { Fd } from './fd.ts'

/** What one message of a dump may have (NLMSG_GOODSIZE and the kernel's 32 KiB of a large reader, net/netlink/af_netlink.c). */
const receiveBytes = 64 * 1024
/** include/uapi/linux/netlink.h */
const SOL_NETLINK = 270
const NETLINK_EXT_ACK = 11

/** A blocking rtnetlink(7) socket of the network namespace in which it was opened, whichever its user is in later. */
export class RtNetlink {
  readonly #fd: Fd
  readonly #buffer = new Uint8Array(receiveBytes)

  /** Throws SysError. */
  constructor() {
    this.#fd = new Fd(check('socket', 'rtnetlink', sys.socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE)), 'rtnetlink')
    // Its explanations are a comfort: a kernel without them answers all the same.
    sys.setsockoptInt(this.#fd.number, SOL_NETLINK, NETLINK_EXT_ACK, 1)
  }

  /** Throws SysError. */
  send(message: Uint8Array): void {
    check('send', this.#fd.what, sys.send(this.#fd.number, message, 0, message.length, 0))
  }

  /** What one recv(2) gives; the kernel's answer to a request is there when `send` is back. Throws SysError. */
  receive(): Uint8Array {
    const got = check('recv', this.#fd.what, sys.recv(this.#fd.number, this.#buffer, 0, receiveBytes, 0))
    return this.#buffer.slice(0, got)
  }

  [Symbol.dispose](): void {
    this.#fd.close()
  }
}
