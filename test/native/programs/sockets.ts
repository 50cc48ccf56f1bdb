import * as sys from 'native:sys'
import { AF_INET, AF_NETLINK, AF_UNIX, SOCK_NONBLOCK, SOCK_RAW, SOCK_STREAM, SOL_SOCKET, SO_ERROR } from '../../../native/ts/constants/socket.ts'
import { checked, E } from '../../../native/ts/errno.ts'
import { accept, connectUnix, listenUnix } from '../../../native/ts/socket.ts'
import { equal, forked, ok, openFds, pair, readAll, runCases, text, waitFor, writeAll } from './harness.ts'

const AF_INET6 = 10
const byte = new Uint8Array(1)

await runCases({
  'fds travel in a message': () => {
    const [one, two] = pair(sys.socketpair(AF_UNIX, SOCK_STREAM, 0))
    const [reader, writer] = pair(sys.pipe2(0))
    equal(sys.sendFds(one, sys.utf8Encode('ends'), [writer, reader]), 4)
    sys.close(writer)
    const buffer = new Uint8Array(16)
    const got = checked('recvFds', 'pair', sys.recvFds(two, buffer, 4))
    equal([got.bytes, got.fds.length, sys.utf8Decode(buffer, 0, 4)], [4, 2, 'ends'])
    const [there, back] = got.fds as [number, number]
    writeAll(there, sys.utf8Encode('through'))
    sys.close(there)
    equal(text(readAll(reader)), 'through')
    for (const fd of [one, two, reader, back]) sys.close(fd)
  },

  'more fds than asked for are refused, and none is left open': () => {
    const [one, two] = pair(sys.socketpair(AF_UNIX, SOCK_STREAM, 0))
    const before = openFds()
    for (const asked of [0, 1, 2]) {
      sys.sendFds(one, byte, [0, 0, 0])
      equal(sys.recvFds(two, byte, asked), -E.EMSGSIZE)
      equal(openFds(), before)
    }
    equal(sys.sendFds(one, byte, Array.from({ length: 300 }, () => 0)), -E.EINVAL)
    sys.sendFds(one, byte, Array.from({ length: 253 }, () => 0))
    const all = checked('recvFds', 'pair', sys.recvFds(two, byte, 253))
    equal(all.fds.length, 253)
    for (const fd of [one, two, ...all.fds]) sys.close(fd)
  },

  'a unix listener accepts, in the file system and abstract': async () => {
    for (const path of [`/tmp/kata-ts-native-${sys.getpid()}.sock`, `\0kata-ts-native-${sys.getpid()}`]) {
      using listener = listenUnix(path)
      using client = connectUnix(path)
      using server = await accept(listener)
      writeAll(client.number, sys.utf8Encode('hi'))
      const buffer = new Uint8Array(2)
      equal(sys.recv(server.number, buffer, 0, 2, 0), 2)
      equal(checked('getPeerCred', 'client', sys.getPeerCred(server.number)), { pid: sys.getpid(), uid: 0, gid: 0 })
      equal(sys.recv(server.number, buffer, 0, 2, 0), -E.EAGAIN)
      if (path.startsWith('/')) equal(sys.unlinkat(-100, path, 0), 0)
    }
  },

  'a path that is too long, or an address nobody has': () => {
    const socket = sys.socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0)
    equal(sys.bindUnix(socket, `/tmp/${'x'.repeat(103)}`), -E.ENAMETOOLONG)
    equal(sys.connectUnix(socket, '/tmp/nobody-listens-here'), -E.ENOENT)
    sys.close(socket)
  },

  'internet sockets connect over IPv4 and IPv6 loopback': () => {
    for (const [family, address] of [[AF_INET, '127.0.0.1'], [AF_INET6, '::1']] as const) {
      const listener = sys.socket(family, SOCK_STREAM, 0)
      const port = 20_000 + sys.getpid() % 10_000
      const bound = sys.bindInet(listener, address, port)
      if (bound !== -E.EADDRNOTAVAIL) {
        equal(bound, 0)
        equal(sys.listen(listener, 1), 0)
        const pid = forked(() => {
          const client = sys.socket(family, SOCK_STREAM, 0)
          equal(sys.connectInet(client, address, port), 0)
          equal(sys.send(client, byte, 0, 1, 0), 1)
        })
        const server = sys.accept4(listener, 0)
        equal(sys.recv(server, byte, 0, 1, 0), 1)
        equal(waitFor(pid), 0)
        sys.close(server)
      }
      sys.close(listener)
    }
  },

  'send to a peer that is gone is EPIPE and no signal': () => {
    const [one, two] = pair(sys.socketpair(AF_UNIX, SOCK_STREAM, 0))
    sys.close(two)
    equal(sys.send(one, byte, 0, 1, 0), -E.EPIPE)
    equal(sys.write(one, byte, 0, 1), -E.EPIPE)
    sys.close(one)
  },

  'half-close ends one direction only': () => {
    const [one, two] = pair(sys.socketpair(AF_UNIX, SOCK_STREAM, 0))
    equal(sys.shutdown(one, 1), 0)
    equal(sys.recv(two, byte, 0, 1, 0), 0)
    equal(sys.send(two, byte, 0, 1, 0), 1)
    equal(sys.recv(one, byte, 0, 1, 0), 1)
    for (const fd of [one, two]) sys.close(fd)
  },

  'netlink binds and options are read and set': () => {
    const socket = sys.socket(AF_NETLINK, SOCK_RAW, 0)
    equal(sys.bindNetlink(socket, 0, 0), 0)
    equal(sys.getsockoptInt(socket, SOL_SOCKET, SO_ERROR), 0)
    const SO_RCVBUF = 8
    equal(sys.setsockoptInt(socket, SOL_SOCKET, SO_RCVBUF, 100_000), 0)
    ok(sys.getsockoptInt(socket, SOL_SOCKET, SO_RCVBUF) >= 100_000, 'the buffer did not grow')
    equal(sys.getsockoptInt(socket, SOL_SOCKET, 9999), -E.ENOPROTOOPT)
    sys.close(socket)
  },
})
