/**
 * A filter that asks somebody else (SCMP_ACT_NOTIFY, config-linux.md#seccomp): the descriptor on which the kernel asks goes
 * to the agent that listens on `listenerPath`.
 *
 *   parent                              process                            agent
 *     │                                   │ seccomp(2): its filter is in force │
 *     │  ◀──────────────── filter, fd ─── │ write(2)                           │
 *     │  pidfd_getfd(2)                   │                                    │
 *     │  ── container process state + descriptor ────────────────────────────▶ │
 *     │  ── filter-held ────────────────▶ │ read(2)                            │
 *     │                                   │ capabilities, execve ─── asks ───▶ │
 *
 * From the filter on, calls of the process may wait for the agent: write(2), with which it tells of its descriptor, must
 * not be one of them.
 */
import * as sys from 'native:sys'
import { AF_UNIX, SOCK_STREAM } from '../../../native/ts/constants/socket.ts'
import { check } from '../../../native/ts/errno.ts'
import { Fd } from '../../../native/ts/fd.ts'
import type { LinuxSeccomp } from '../../../protocol/oci/seccomp.ts'
import { ociVersion, type State } from '../../../protocol/oci/state.ts'

/** The process whose filter asks; all borrowed. */
export interface AskingProcess {
  pid: number
  pidfd: Fd
  /** Its descriptor of the filter. */
  filter: number
}

/** Hands the descriptor of a process's filter to the agent, with the container process state. Throws SysError. */
export function handFilterOver({ listenerPath = '', listenerMetadata }: LinuxSeccomp, process: AskingProcess, state: State): void {
  using filter = new Fd(check('pidfd_getfd', `the filter of process ${process.pid}`, sys.pidfdGetfd(process.pidfd.number, process.filter)), 'seccomp filter')
  using socket = new Fd(check('socket', listenerPath, sys.socket(AF_UNIX, SOCK_STREAM, 0)), listenerPath)
  check('connect', `${listenerPath} (linux.seccomp.listenerPath)`, sys.connectUnix(socket.number, listenerPath))
  const document = sys.utf8Encode(JSON.stringify({
    ociVersion, fds: ['seccompFd'], pid: process.pid, ...(listenerMetadata === undefined ? {} : { metadata: listenerMetadata }), state,
  }))
  let sent = check('sendmsg', listenerPath, sys.sendFds(socket.number, document, [filter.number]))
  while (sent < document.length) sent += check('write', listenerPath, sys.write(socket.number, document, sent, document.length - sent))
}
