import * as sys from 'native:sys'
import { CLONE_NEWPID, CLONE_NEWUSER, CLONE_PARENT } from '../../../native/ts/constants/sched.ts'
import { SIGCHLD } from '../../../native/ts/constants/signal.ts'
import { P_PIDFD, WEXITED } from '../../../native/ts/constants/wait.ts'
import { check, checked, E, SysError } from '../../../native/ts/errno.ts'
import { Fd, pipe } from '../../../native/ts/fd.ts'
import { ContainerProcess } from '../process.ts'
import type { CloneOptions } from './clone.ts'

/**
 * A process that is born in a namespace which we would not come back out of: a user namespace that is there already (new
 * namespaces belong to the user namespace of whoever makes them), or a pid namespace, when our own belongs to a user namespace in
 * which we have no rights (podman without root). So a child goes in, and clones as us (CLONE_PARENT):
 *
 *   parent ── clone3 ─▶ middle: setns(user), setns(pid), clone3(flags | CLONE_PARENT) ── the parent's child
 *      ◀── pid, or errno ── middle ends, reaped here
 */
export function cloneInside(options: CloneOptions): ContainerProcess {
  const { reader, writer } = pipe(options.what)
  using answer = reader
  using _writer = writer
  const middle = checked('clone3', options.what, sys.clone3({ flags: 0, exitSignal: SIGCHLD }))
  if (middle.pid === 0) cloneFromInside(options, writer)
  using pidfd = new Fd(middle.pidfd, `way into the namespaces of ${options.what}`)
  writer.close()
  const { call, result } = readAnswer(answer)
  const reaped = sys.waitid(P_PIDFD, pidfd.number, WEXITED)
  // Someone else's reaping is as good.
  if (typeof reaped === 'number' && reaped !== -E.ECHILD) check('waitid', pidfd.what, reaped)
  if (result < 0) throw new SysError(call, `for ${options.what}`, -result)
  // Ours to reap, so its pid is nobody else's yet, even if it has ended.
  return ContainerProcess.cloned(result, new Fd(check('pidfd_open', options.what, sys.pidfdOpen(result, 0)), `pidfd of ${options.what}`))
}

/** The middle: tells the pid or what failed. Never comes back, neither here nor in the process that it makes. */
function cloneFromInside({ flags, bornIn, userNamespace, cgroupFd, child }: CloneOptions, writer: Fd): never {
  const tell = (call: string, result: number): never => {
    const line = sys.utf8Encode(`${call} ${result}`)
    sys.write(writer.number, line, 0, line.length)
    return sys._exit(0)
  }
  const entered = userNamespace === undefined ? 0 : sys.setns(userNamespace, CLONE_NEWUSER)
  if (entered < 0) tell('setns', entered)
  const stepped = bornIn === undefined ? 0 : sys.setns(bornIn, CLONE_NEWPID)
  if (stepped < 0) tell('setns', stepped)
  const cloned = sys.clone3({ flags: flags | CLONE_PARENT, exitSignal: 0, ...(cgroupFd === undefined ? {} : { cgroupFd }) })
  if (typeof cloned === 'number') return tell('clone3', cloned)
  if (cloned.pid !== 0) tell('clone3', cloned.pid)
  try {
    return child()
  } finally {
    sys._exit(1)
  }
}

/** What the middle told; one that ended without a word was killed. */
function readAnswer(reader: Fd): { call: string; result: number } {
  const buffer = new Uint8Array(64)
  const got = sys.read(reader.number, buffer, 0, buffer.length)
  if (got <= 0) return { call: 'clone3', result: -E.ESRCH }
  const [call = '', result = ''] = sys.utf8Decode(buffer, 0, got).split(' ')
  return { call, result: Number(result) }
}
