import * as sys from 'native:sys'
import { O_RDWR } from '../native/ts/constants/fcntl.ts'
import { MS_REC, MS_SLAVE } from '../native/ts/constants/mount.ts'
import { CLONE_NEWNS } from '../native/ts/constants/sched.ts'
import { check, E, isErrno } from '../native/ts/errno.ts'
import { open } from '../native/ts/fd.ts'
import { readText, writeKernelFile } from '../native/ts/file.ts'

/** Highest oom_score_adj (include/uapi/linux/oom.h). */
const maxOomScore = 1000

/**
 * Gives the process a mount namespace of its own: what the shim mounts is seen by it and its children
 * only, and goes with the last of them, `kill -9` included. Mounts made on the host still arrive (slave).
 */
export function enterMountNamespace(): void {
  check('unshare', 'mount namespace', sys.unshare(CLONE_NEWNS))
  check('mount', '/ as slave', sys.mount(null, '/', null, MS_REC | MS_SLAVE, null))
}

/**
 * Makes this process the kernel's choice before containerd when memory runs out: its parent's score
 * plus one. Lowering, where the parent's is below ours, is not allowed to everyone: then ours stays.
 */
export function raiseOomScore(): void {
  const parent = Number(readText(`/proc/${sys.getppid()}/oom_score_adj`).trim())
  const score = Math.min(parent + 1, maxOomScore)
  try {
    writeKernelFile('/proc/self/oom_score_adj', String(score))
  } catch (error) {
    if (!isErrno(error, E.EACCES, E.EPERM)) throw error
  }
}

/**
 * Forks the daemon. In the parent it gives the child's pid; in the child 0, which then has its own
 * session, `/` as working directory, and /dev/null on 0–2: containerd reads the parent's output to
 * its end, so a descriptor left open would hang `start`. No promise may be pending when it is called.
 */
export function forkDaemon(): number {
  const pid = check('fork', 'daemon', sys.fork())
  if (pid !== 0) return pid
  check('setsid', '', sys.setsid())
  check('chdir', '/', sys.chdir('/'))
  using nothing = open('/dev/null', O_RDWR)
  for (const place of [0, 1, 2]) check('dup3', `/dev/null on ${place}`, sys.dup3(nothing.number, place, 0))
  return 0
}
