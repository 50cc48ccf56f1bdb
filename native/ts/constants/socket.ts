/** include/linux/socket.h, include/linux/net.h, include/uapi/asm-generic/socket.h, include/uapi/linux/vm_sockets.h. */
export const AF_UNIX = 1
export const AF_INET = 2
export const AF_INET6 = 10
export const AF_NETLINK = 16
export const AF_VSOCK = 40

export const SOCK_STREAM = 1
export const SOCK_DGRAM = 2
export const SOCK_RAW = 3
export const SOCK_SEQPACKET = 5
export const SOCK_NONBLOCK = 0o4000
export const SOCK_CLOEXEC = 0o2000000

export const SOL_SOCKET = 1
export const SO_ERROR = 4
export const SO_SNDBUF = 7
export const SO_RCVBUF = 8
export const SO_REUSEADDR = 2
export const SO_PASSCRED = 16

export const MSG_PEEK = 0x2
export const MSG_DONTWAIT = 0x40

export const SHUT_RD = 0
export const SHUT_WR = 1
export const SHUT_RDWR = 2

export const VMADDR_CID_ANY = 0xffffffff
export const VMADDR_CID_HYPERVISOR = 0
export const VMADDR_CID_LOCAL = 1
export const VMADDR_CID_HOST = 2
export const VMADDR_PORT_ANY = 0xffffffff

/** include/uapi/linux/netlink.h */
export const NETLINK_ROUTE = 0
